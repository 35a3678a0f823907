"""A password hasher of the same cost as the product's, so that sign-ups are compared without the difference."""

import os

from django.contrib.auth.hashers import Argon2PasswordHasher


class SameCostArgon2(Argon2PasswordHasher):
    memory_cost = int(os.environ["RIVAL_ARGON2_MEMORY_KIB"])
    time_cost = int(os.environ["RIVAL_ARGON2_TIME_COST"])
    parallelism = int(os.environ["RIVAL_ARGON2_PARALLELISM"])
