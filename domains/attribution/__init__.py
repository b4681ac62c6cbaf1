"""Who came through which door: arrivals, and the referrer that each one names.

Keeps every arrival. Does not decide who is credited; that follows the referral links.
"""
