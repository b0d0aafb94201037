"""The archive: what decisions were made with, kept under the hash of its content as long as the decisions are."""
