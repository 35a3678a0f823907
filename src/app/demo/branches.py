"""Where the demo clinics are: branches in several countries and time zones, with their rooms."""

from typing import Final

from app.demo.specification import BranchSpec, RoomSpec

LIMA: Final = BranchSpec(
    code="LIM",
    name="Sede Miraflores",
    country="PE",
    timezone="America/Lima",
    city="Lima",
    street="Av. José Larco 812, Miraflores",
    phone="+5116100812",
    districts=("Miraflores", "Surquillo", "San Isidro", "Barranco", "Jesús María", "Lince"),
    rooms=(
        RoomSpec("Sillón 1", "chair"),
        RoomSpec("Sillón 2", "chair"),
        RoomSpec("Sillón 3", "chair"),
        RoomSpec("Consultorio médico", "room"),
        RoomSpec("Rayos X", "device"),
    ),
)

BOGOTA: Final = BranchSpec(
    code="BOG",
    name="Sede Chapinero",
    country="CO",
    timezone="America/Bogota",
    city="Bogotá",
    street="Carrera 13 # 53-40, Chapinero",
    phone="+576016100053",
    districts=("Chapinero", "Teusaquillo", "Usaquén", "Barrios Unidos", "Suba", "Engativá"),
    rooms=(
        RoomSpec("Sillón 1", "chair"),
        RoomSpec("Sillón 2", "chair"),
        RoomSpec("Consultorio 1", "room"),
    ),
)

SANTIAGO: Final = BranchSpec(
    code="SCL",
    name="Sede Providencia",
    country="CL",
    timezone="America/Santiago",
    city="Santiago",
    street="Av. Providencia 1650, Providencia",
    phone="+56226100165",
    districts=("Providencia", "Ñuñoa", "La Reina", "Las Condes", "Macul", "Santiago Centro"),
    rooms=(
        RoomSpec("Sillón 1", "chair"),
        RoomSpec("Sillón 2", "chair"),
        RoomSpec("Consultorio 1", "room"),
    ),
)

AREQUIPA: Final = BranchSpec(
    code="AQP",
    name="Sede Cercado",
    country="PE",
    timezone="America/Lima",
    city="Arequipa",
    street="Calle Mercaderes 214, Cercado",
    phone="+5154610214",
    districts=("Cercado", "Yanahuara", "Cayma", "Cerro Colorado", "Sachaca", "Paucarpata"),
    rooms=(
        RoomSpec("Sillón 1", "chair"),
        RoomSpec("Sillón 2", "chair"),
        RoomSpec("Sillón 3", "chair"),
        RoomSpec("Consultorio médico", "room"),
        RoomSpec("Tomógrafo", "device"),
    ),
)

LA_PAZ: Final = BranchSpec(
    code="LPB",
    name="Sede Sopocachi",
    country="BO",
    timezone="America/La_Paz",
    city="La Paz",
    street="Av. 20 de Octubre 2315, Sopocachi",
    phone="+59122610231",
    districts=("Sopocachi", "Miraflores", "Calacoto", "Obrajes", "San Pedro", "Achumani"),
    rooms=(
        RoomSpec("Sillón 1", "chair"),
        RoomSpec("Sillón 2", "chair"),
        RoomSpec("Consultorio médico", "room"),
    ),
)

ANTOFAGASTA: Final = BranchSpec(
    code="ANF",
    name="Centro Antofagasta",
    country="CL",
    timezone="America/Santiago",
    city="Antofagasta",
    street="Av. Balmaceda 2472",
    phone="+56552610247",
    districts=("Centro", "Coviefi", "La Chimba", "Coloso", "Jardines del Sur", "Playa Blanca"),
    rooms=(
        RoomSpec("Box 1", "room"),
        RoomSpec("Box 2", "room"),
        RoomSpec("Box 3", "room"),
        RoomSpec("Box dental", "chair"),
        RoomSpec("Cámara audiométrica", "device"),
    ),
)

BOGOTA_OFFICE: Final = BranchSpec(
    code="BOG",
    name="Centro Bogotá",
    country="CO",
    timezone="America/Bogota",
    city="Bogotá",
    street="Calle 72 # 10-34, Chapinero",
    phone="+576016100072",
    districts=("Chapinero", "Fontibón", "Kennedy", "Engativá", "Suba", "Usme"),
    rooms=(
        RoomSpec("Box 1", "room"),
        RoomSpec("Box 2", "room"),
        RoomSpec("Espirómetro", "device"),
    ),
)
