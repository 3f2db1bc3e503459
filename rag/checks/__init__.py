"""The support ledger: whether a sentence of an answer says what the papers it cites say; pure."""
