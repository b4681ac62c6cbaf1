"""Who brought whom, as a time line of links at each merchant.

Promises that nobody has two referrers at one time and that no chain of links closes.
"""
