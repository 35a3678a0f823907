"""The titles of problems by code and their details by message key, in Spanish and English.

A detail's key is the problem's code unless `problems.py` names another one for the error class.
"""

from typing import Final

from app.messages import Text

TITLES: Final[dict[str, Text]] = {
    "appointment_conflict": Text("Horario ocupado", "Time taken"),
    "bad_request": Text("Solicitud incorrecta", "Bad request"),
    "body_too_large": Text("Cuerpo demasiado grande", "Body too large"),
    "branch_forbidden": Text("Sede no permitida", "Branch not allowed"),
    "duplicate": Text("Ya existe", "Already exists"),
    "forbidden": Text("No permitido", "Forbidden"),
    "idempotency_in_progress": Text("Solicitud en curso", "Request in progress"),
    "idempotency_key_reused": Text("Clave de idempotencia reutilizada", "Idempotency key reused"),
    "if_match_required": Text("Falta If-Match", "If-Match required"),
    "internal_error": Text("Error interno", "Internal error"),
    "invalid_credentials": Text("Credenciales inválidas", "Invalid credentials"),
    "invalid_reference": Text("Referencia inválida", "Invalid reference"),
    "invalid_token": Text("Token inválido", "Invalid token"),
    "invalid_transition": Text("Cambio de estado no permitido", "Change of status not allowed"),
    "method_not_allowed": Text("Método no permitido", "Method not allowed"),
    "move_in_progress": Text("Organización en traslado", "Organisation on the move"),
    "move_refused": Text("Traslado rechazado", "Move refused"),
    "not_found": Text("No encontrado", "Not found"),
    "password_change_required": Text("Debe cambiar su contraseña", "Password change required"),
    "quota_exceeded": Text("Límite del plan alcanzado", "Limit of the plan reached"),
    "rate_limited": Text("Demasiadas solicitudes", "Too many requests"),
    "retry": Text("Inténtelo de nuevo", "Try again"),
    "server_unavailable": Text("Servicio no disponible", "Service unavailable"),
    "session_ended": Text("Sesión terminada", "Session ended"),
    "slug_taken": Text("Subdominio existente", "Sub-domain taken"),
    "stale_version": Text("Versión desactualizada", "Stale version"),
    "tenant_mismatch": Text("La organización no coincide", "Organisation mismatch"),
    "tenant_moving": Text("Organización en traslado", "Organisation on the move"),
    "tenant_not_found": Text("Organización no encontrada", "Organisation not found"),
    "tenant_not_resolved": Text("Organización no indicada", "Organisation not named"),
    "tenant_provisioning": Text("Organización en preparación", "Organisation being set up"),
    "tenant_suspended": Text("Organización suspendida", "Organisation suspended"),
    "token_expired": Text("Token vencido", "Token expired"),
    "unknown_plan": Text("No existe ese plan.", "There is no such plan."),
    "unknown_server": Text("No existe ese servidor.", "There is no such server."),
    "user_blocked": Text("Usuario bloqueado", "User blocked"),
    "user_not_authorized": Text("Usuario no autorizado", "User not authorised"),
    "user_pending_approval": Text("Usuario pendiente de aprobación", "User awaits approval"),
    "validation_error": Text("Datos inválidos", "Invalid data"),
}

DETAILS: Final[dict[str, Text]] = {
    "appointment_conflict": Text(
        "El horario choca con otra cita.", "The time overlaps another appointment."
    ),
    "appointment_final": Text(
        "La cita ya está atendida, cancelada o perdida: no cambia más.",
        "The appointment is completed, cancelled or missed: it changes no more.",
    ),
    "bad_request": Text(
        "No se pudo entender la solicitud.", "The request could not be understood."
    ),
    "body_too_large": Text(
        "El cuerpo de la solicitud es demasiado grande.", "The body of the request is too large."
    ),
    "branch_forbidden": Text("Usted no trabaja en esta sede.", "You do not work at this branch."),
    "clinic_busy": Text(
        "La clínica tiene demasiadas solicitudes en espera; inténtelo en un momento.",
        "The clinic has too many requests waiting; try again in a moment.",
    ),
    "duplicate": Text(
        "Ya existe un registro con el mismo valor.",
        "There is a record with the same value already.",
    ),
    "duplicate_document": Text(
        "Otra persona de la clínica ya tiene este documento.",
        "Another person of the clinic has this document already.",
    ),
    "forbidden": Text("Sus roles no permiten esta acción.", "Your roles do not allow this action."),
    "idempotency_in_progress": Text(
        "Una solicitud con la misma clave está en curso.",
        "A request under the same key is being worked on.",
    ),
    "idempotency_key_required": Text(
        "Esta solicitud necesita la cabecera Idempotency-Key.",
        "This request needs the header Idempotency-Key.",
    ),
    "idempotency_key_reused": Text(
        "La clave ya se usó para otra solicitud.", "The key was used for another request already."
    ),
    "if_match_required": Text(
        "Indique en If-Match la versión que leyó.",
        "Say in If-Match which version you read.",
    ),
    "internal_error": Text(
        "Algo falló de nuestro lado; cite el request_id al reportarlo.",
        "Something failed on our side; quote the request_id when you report it.",
    ),
    "invalid_credentials": Text("Credenciales inválidas", "Invalid credentials"),
    "invalid_idempotency_key": Text(
        "Idempotency-Key debe tener entre 1 y 255 caracteres ASCII visibles.",
        "Idempotency-Key must have 1 to 255 visible ASCII characters.",
    ),
    "invalid_if_match": Text(
        'If-Match debe contener un solo ETag, como "3".',
        'If-Match must hold a single ETag such as "3".',
    ),
    "invalid_reference": Text(
        "Un campo apunta a algo que no existe en esta clínica.",
        "A field points to something that does not exist in this clinic.",
    ),
    "invalid_token": Text("Token inválido", "Invalid token"),
    "invalid_transition": Text(
        "El estado actual no permite este cambio.", "The present status does not allow this change."
    ),
    "last_admin": Text(
        "La clínica quedaría sin un administrador activo.",
        "The clinic would be left without an active administrator.",
    ),
    "last_branch": Text(
        "La clínica quedaría sin una sede activa.",
        "The clinic would be left without an active branch.",
    ),
    "malformed_json": Text("El cuerpo no es JSON válido.", "The body is not valid JSON."),
    "method_not_allowed": Text(
        "Esta ruta no admite el método.", "This route does not support the method."
    ),
    "missing_token": Text("Se necesita un token.", "A token is needed."),
    "move_in_progress": Text(
        "La organización ya se está trasladando, o aún guarda el camino de vuelta de un traslado.",
        "The organisation is being moved already, or the way back of a move is still kept.",
    ),
    "move_refused": Text(
        "El traslado no puede empezar; reasons dice por qué.",
        "The move cannot be started; reasons tells why.",
    ),
    "move_state": Text(
        "El estado del traslado no lo permite; reason dice por qué.",
        "The state of the move does not allow this; reason tells why.",
    ),
    "name_taken": Text(
        "Otra organización ya tiene este nombre.", "Another organisation has this name already."
    ),
    "no_route": Text("No existe esta ruta.", "There is no such route."),
    "no_show_too_early": Text(
        "La cita aún no comienza: nadie pudo faltar.",
        "The appointment has not begun yet: nobody can have missed it.",
    ),
    "not_found": Text("No existe en esta clínica.", "There is no such thing in this clinic."),
    "password_change_required": Text(
        "Cambie su contraseña antes de continuar.", "Change your password before going on."
    ),
    "patient_merged": Text(
        "El paciente fue unido a otro y ya no cambia.",
        "The patient was merged into another one and changes no more.",
    ),
    "quota_exceeded": Text(
        "El plan de la clínica no permite más.", "The clinic's plan does not allow more."
    ),
    "rate_limited": Text(
        "Demasiados intentos; espere antes de volver a intentar.",
        "Too many attempts; wait before you try again.",
    ),
    "reserved_slug": Text(
        "El subdominio está reservado.", "The sub-domain is kept for the platform."
    ),
    "retry": Text(
        "La operación chocó con otra simultánea; inténtelo de nuevo.",
        "The operation collided with another one; try again.",
    ),
    "server_full": Text(
        "Ningún servidor recibe más organizaciones.", "No server takes a further organisation."
    ),
    "server_unavailable": Text(
        "El servidor no puede atender la solicitud en este momento.",
        "The server cannot take the request at this moment.",
    ),
    "session_ended": Text(
        "La sesión terminó; vuelva a iniciar sesión.", "The session has ended; log in again."
    ),
    "sign_up_closed": Text(
        "El registro no está abierto: contacte a la plataforma.",
        "Sign-up is not open: contact the platform.",
    ),
    "slug_taken": Text("subdominio existente", "the sub-domain is taken"),
    "stale_version": Text(
        "Otra persona cambió el registro desde que usted lo leyó.",
        "Somebody else changed the record since you read it.",
    ),
    "strategy_not_allowed": Text(
        "El plan no permite esta estrategia.", "The plan does not allow this strategy."
    ),
    "tenant_mismatch": Text(
        "El host, los encabezados, el cuerpo y el token no indican la misma organización.",
        "Host, headers, body and token do not name the same organisation.",
    ),
    "tenant_moving": Text(
        "La organización se está trasladando; inténtelo en un momento.",
        "The organisation is moving; try again in a moment.",
    ),
    "tenant_not_found": Text("La organización no existe.", "The organisation does not exist."),
    "tenant_not_resolved": Text(
        "Indique la organización con el subdominio o con X-Tenant-ID.",
        "Name the organisation by its sub-domain or by X-Tenant-ID.",
    ),
    "tenant_provisioning": Text(
        "La organización se está preparando; inténtelo en un momento.",
        "The organisation is being set up; try again in a moment.",
    ),
    "tenant_suspended": Text(
        "La organización está suspendida: se puede leer, no escribir.",
        "The organisation is suspended: it can be read, not written.",
    ),
    "token_expired": Text("El token venció.", "The token has expired."),
    "too_late_to_cancel": Text(
        "La cita está muy próxima para cancelarla sin llamar a la clínica.",
        "The appointment is too near to be cancelled without calling the clinic.",
    ),
    "too_many_watchers": Text(
        "Demasiados observan traslados; consulte el traslado o inténtelo en un momento.",
        "Too many are watching moves; look at the move itself, or try again in a moment.",
    ),
    "unknown_move": Text(
        "Esa organización no tiene ese traslado.", "The organisation has no such move."
    ),
    "unknown_namespace": Text(
        "No existe ese grupo de ajustes.", "There is no such group of settings."
    ),
    "unknown_plan": Text("No existe ese plan.", "There is no such plan."),
    "unknown_query_parameter": Text(
        "La consulta tiene un parámetro que esta ruta no conoce.",
        "The query has a parameter that this route does not know.",
    ),
    "unknown_server": Text("No existe ese servidor.", "There is no such server."),
    "user_blocked": Text("Usuario bloqueado", "User blocked"),
    "user_not_authorized": Text("Usuario no autorizado", "User not authorised"),
    "user_pending_approval": Text("Usuario pendiente de aprobación", "User awaits approval"),
    "validation_error": Text(
        "Uno o más campos no son válidos.", "One or more fields are not valid."
    ),
}
