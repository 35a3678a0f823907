"""Settings of the rival: as its documentation recommends, with every switch that makes it faster."""

import os

SECRET_KEY = os.environ["RIVAL_SECRET_KEY"]
TOKEN_ISSUER = os.environ["RIVAL_TOKEN_ISSUER"]
TOKEN_AUDIENCE = os.environ["RIVAL_TOKEN_AUDIENCE"]
CHECKS_LOGIN_SESSION = os.environ.get("RIVAL_CHECKS_LOGIN_SESSION", "1") == "1"
BASE_DOMAIN = os.environ["RIVAL_BASE_DOMAIN"]

DEBUG = False
ALLOWED_HOSTS = ["*"]
USE_TZ = True
TIME_ZONE = "UTC"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ROOT_URLCONF = "rival_urls"
WSGI_APPLICATION = "rival_wsgi.application"

SHARED_APPS = ["django_tenants", "django.contrib.contenttypes", "clinics"]
TENANT_APPS = ["tables"]
INSTALLED_APPS = SHARED_APPS + TENANT_APPS
TENANT_MODEL = "clinics.Clinic"
TENANT_DOMAIN_MODEL = "clinics.Domain"
DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter"]
TENANT_LIMIT_SET_CALLS = True  # one SET search_path a request instead of one a query

# With these two a new clinic is a copy of a model schema, made by a function in PostgreSQL, without migrations.
TENANT_BASE_SCHEMA = os.environ.get("RIVAL_MODEL_SCHEMA") or None
TENANT_CREATION_FAKES_MIGRATIONS = TENANT_BASE_SCHEMA is not None

MIDDLEWARE = [
    "django_tenants.middleware.main.TenantMainMiddleware",
    "django.middleware.common.CommonMiddleware",  # sets Content-Length
]

DATABASES = {
    "default": {
        "ENGINE": "django_tenants.postgresql_backend",
        "NAME": os.environ["RIVAL_DATABASE"],
        "HOST": os.environ["RIVAL_DATABASE_HOST"],
        "PORT": os.environ["RIVAL_DATABASE_PORT"],
        "USER": os.environ["RIVAL_DATABASE_USER"],
        "PASSWORD": os.environ["RIVAL_DATABASE_PASSWORD"],
        "CONN_MAX_AGE": None,  # connections are kept between requests
    }
}

PASSWORD_HASHERS = ["rival_hasher.SameCostArgon2"]
