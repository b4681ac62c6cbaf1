"""The traces of one person, gathered into a group.

Promises that an identifier belongs to exactly one group and a group has at most one wallet.
Does not merge groups.
"""
