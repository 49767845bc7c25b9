"""Changes to domains, addresses, accounts, routes: through the command line."""


class Admin:
    NOUNS = ("domain", "address", "alias", "account", "transport", "route", "network")

    def __init__(self, mox):
        self.mox = mox
