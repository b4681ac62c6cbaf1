"""Words that mean the same in every room: ids, amounts, addresses, refusals."""
