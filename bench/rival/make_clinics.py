"""Makes clinics on the rival's side; reads `[{"id", "slug", "schema"}]` from standard input."""

import json
import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rival_settings")
django.setup()

from clinics.models import Clinic, Domain  # noqa: E402  # after django.setup()
from django.conf import settings  # noqa: E402

for clinic in json.load(sys.stdin):
    made = Clinic(
        id=clinic["id"], slug=clinic["slug"], name=clinic["slug"], schema_name=clinic["schema"]
    )
    made.save(verbosity=0)
    if clinic["slug"]:
        domain = f"{clinic['slug']}.{settings.BASE_DOMAIN}"
        Domain.objects.create(domain=domain, tenant=made, is_primary=True)
