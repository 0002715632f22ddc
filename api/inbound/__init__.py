"""What messaging providers call: one file a provider, its webhook and its signature.

Here a request is verified and brought into one form (``message.py``); what the person meant and
what is recorded of it is ``operations/receive_reply.py``. Start at ``receiving.py``.
"""
