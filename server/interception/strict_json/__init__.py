"""JSON that is read without dropping anything: every key is known, said once, and of its type.

`parsing` turns bytes into values and keeps what a dictionary would lose, `messages` and `values`
read those into the contract's messages, `key_hints` finds the key that was meant, and `step`
stands in front of the methods whose routes are strict.
"""
