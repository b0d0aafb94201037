"""The archive: everything that decisions were made with, kept under the SHA-256 of its own bytes.

``keep_build`` keeps a build (a workflow's file, contracts, components, the source of its code, and which versions of
all else were there) and gives its digest, which every decision names; ``read_build`` and ``unpack`` bring it back, on
another machine too, when the files have changed or are gone. Invariants: a build is named only once all of it is kept;
what comes back is what its digest says, or an error; nothing here is ever changed or removed by the service.
"""
