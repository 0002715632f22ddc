"""The recipient's own pages: one click to stop, and what a sender may send.

No page asks for a key or sets a cookie: the token in the link is all that is needed, and all that
there is to steal, so a forged request can do no more than whoever already holds the link. Nothing
here ever permits a message: a page only stops. Start at ``one_click.py``; ``pages.py`` is how a
page is made and guarded, ``texts/`` what it says in each language.
"""
