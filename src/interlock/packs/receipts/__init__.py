"""Receipts: reading a shop receipt and reimbursing it; the reader, its checks, its training and its evaluation."""
