"""The three demo clinics, one per strategy: two dental ones and an occupational one."""

from decimal import Decimal
from typing import Final

from app.demo.branches import (
    ANTOFAGASTA,
    AREQUIPA,
    BOGOTA,
    BOGOTA_OFFICE,
    LA_PAZ,
    LIMA,
    SANTIAGO,
)
from app.demo.catalogues import (
    DENTAL_SERVICES,
    DENTAL_SPECIALTIES,
    OCCUPATIONAL_SERVICES,
    OCCUPATIONAL_SPECIALTIES,
)
from app.demo.specification import ClinicSpec, ClosureSpec
from app.demo.staff import AREQUIPA_STAFF, MINERA_STAFF, SONRISA_STAFF
from tenancy.tenant import StrategyName

PATIENTS: Final = 300

DEMO_CLINICS: Final = (
    ClinicSpec(
        slug="sonrisa",
        name="Clínica Dental Sonrisa",
        description="Red de clínicas dentales en Lima, Bogotá y Santiago",
        vertical="dental",
        strategy=StrategyName.ROW,
        plan="anual",
        country="PE",
        timezone="America/Lima",
        currency="PEN",
        tax_rate=Decimal("0.18"),
        phone="+5116100812",
        branches=(LIMA, BOGOTA, SANTIAGO),
        specialties=DENTAL_SPECIALTIES,
        services=DENTAL_SERVICES,
        staff=SONRISA_STAFF,
        closures=(
            ClosureSpec(reason="Mantenimiento de sillones", first_day=-9, days=1, branch="LIM"),
            ClosureSpec(reason="Congreso de endodoncia", first_day=6, days=3, staff=3),
        ),
        patient_age_min=4,
        patient_age_max=84,
        patients_female_percent=56,
    ),
    ClinicSpec(
        slug="arequipa",
        name="Centro Odontológico Arequipa",
        description="Odontología familiar en Arequipa y La Paz",
        vertical="dental",
        strategy=StrategyName.SCHEMA,
        plan="anual",
        country="PE",
        timezone="America/Lima",
        currency="PEN",
        tax_rate=Decimal("0.18"),
        phone="+5154610214",
        branches=(AREQUIPA, LA_PAZ),
        specialties=DENTAL_SPECIALTIES,
        services=DENTAL_SERVICES,
        staff=AREQUIPA_STAFF,
        closures=(
            ClosureSpec(reason="Aniversario de la ciudad", first_day=9, days=1, branch="AQP"),
            ClosureSpec(reason="Vacaciones", first_day=-8, days=4, staff=2),
        ),
        patient_age_min=3,
        patient_age_max=80,
        patients_female_percent=54,
    ),
    ClinicSpec(
        slug="minera-abc",
        name="Minera ABC Salud Ocupacional",
        description="Salud ocupacional de Minera ABC en Antofagasta y Bogotá",
        vertical="occupational",
        strategy=StrategyName.DATABASE,
        plan="empresa",
        country="CL",
        timezone="America/Santiago",
        currency="CLP",
        tax_rate=Decimal(0),
        phone="+56552610247",
        branches=(ANTOFAGASTA, BOGOTA_OFFICE),
        specialties=OCCUPATIONAL_SPECIALTIES,
        services=OCCUPATIONAL_SERVICES,
        staff=MINERA_STAFF,
        closures=(
            ClosureSpec(reason="Simulacro de emergencia", first_day=5, days=1, branch="BOG"),
            ClosureSpec(reason="Campaña en faena", first_day=-6, days=2, staff=5),
        ),
        patient_age_min=19,
        patient_age_max=64,
        patients_female_percent=22,
    ),
)
