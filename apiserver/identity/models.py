"""Shapes of the Identity API's bodies, for its documentation."""

from __future__ import annotations

from flask_restx import Model, fields

LOOK_FAULTS = {401: "No valid token", 403: "For admins only", 404: "There is none that the caller may know of"}
LIST_FAULTS = {400: "A parameter can't be meant", 401: "No valid token", 403: "For admins only"}
CHANGE_FAULTS = {400: "The body can't be meant", **LOOK_FAULTS}
KEEP_FAULTS = {**CHANGE_FAULTS, 409: "There is one by that name, it still owns something, or it is the last admin's"}
FIXED_FAULTS = {
    401: "No valid token",
    403: "None can be made, changed or removed",
    404: "There is nothing at this path",
}
LOGIN_FAULTS = {400: "The body can't be meant", 401: "Not accepted"}
SUBJECT_FAULTS = {
    400: "No token in X-Subject-Token",
    401: "No valid token",
    403: "Another user's token",
    404: "The subject is no live token",
}

_NAMED = Model("Named", {"id": fields.String, "name": fields.String})

_USER_LOGIN = Model(
    "LoginUser",
    {"id": fields.String, "name": fields.String, "domain": fields.Nested(_NAMED), "password": fields.String},
)
_PASSWORD_LOGIN = Model("LoginPassword", {"user": fields.Nested(_USER_LOGIN, required=True)})
_TOKEN_LOGIN = Model("LoginToken", {"id": fields.String(required=True)})
_CREDENTIAL_LOGIN = Model(
    "LoginApplicationCredential",
    {
        "id": fields.String,
        "name": fields.String,
        "user": fields.Nested(_USER_LOGIN),
        "secret": fields.String(required=True),
    },
)
_IDENTITY = Model(
    "LoginIdentity",
    {
        "methods": fields.List(fields.String(enum=["password", "token", "application_credential"]), required=True),
        "password": fields.Nested(_PASSWORD_LOGIN),
        "token": fields.Nested(_TOKEN_LOGIN),
        "application_credential": fields.Nested(_CREDENTIAL_LOGIN),
    },
)
_SCOPED_PROJECT = Model("LoginProject", {"id": fields.String, "name": fields.String, "domain": fields.Nested(_NAMED)})
_SCOPE = Model("LoginScope", {"project": fields.Nested(_SCOPED_PROJECT)})
_AUTH = Model("LoginAuth", {"identity": fields.Nested(_IDENTITY, required=True), "scope": fields.Nested(_SCOPE)})
LOGIN = Model("Login", {"auth": fields.Nested(_AUTH, required=True)})

_PASSWORD_V2 = Model(
    "LoginV2Password", {"username": fields.String, "userId": fields.String, "password": fields.String(required=True)}
)
_AUTH_V2 = Model(
    "LoginV2Auth",
    {
        "passwordCredentials": fields.Nested(_PASSWORD_V2),
        "token": fields.Nested(_TOKEN_LOGIN),
        "tenantName": fields.String,
        "tenantId": fields.String,
    },
)
LOGIN_V2 = Model("LoginV2", {"auth": fields.Nested(_AUTH_V2, required=True)})

_ENDPOINT = Model(
    "Endpoint",
    {
        "id": fields.String,
        "interface": fields.String(enum=["public", "internal", "admin"]),
        "region": fields.String,
        "region_id": fields.String,
        "url": fields.String,
    },
)
_ENTRY = Model(
    "CatalogEntry",
    {
        "id": fields.String,
        "type": fields.String,
        "name": fields.String,
        "endpoints": fields.List(fields.Nested(_ENDPOINT)),
    },
)
_TOKEN_BODY = Model(
    "TokenBody",
    {
        "methods": fields.List(fields.String),
        "expires_at": fields.String,
        "issued_at": fields.String,
        "user": fields.Nested(_NAMED),
        "project": fields.Nested(_NAMED),
        "roles": fields.List(fields.Nested(_NAMED)),
        "catalog": fields.List(fields.Nested(_ENTRY)),
    },
)
TOKEN = Model("Token", {"token": fields.Nested(_TOKEN_BODY)})

_PROJECT_BODY = Model(
    "ProjectBody",
    {"id": fields.String, "name": fields.String, "description": fields.String, "enabled": fields.Boolean},
)
PROJECT = Model("Project", {"project": fields.Nested(_PROJECT_BODY)})
PROJECTS = Model("Projects", {"projects": fields.List(fields.Nested(_PROJECT_BODY))})

_USER_BODY = Model(
    "UserBody",
    {
        "id": fields.String(readonly=True),
        "name": fields.String,
        "password": fields.String(description="Never in an answer"),
        "email": fields.String,
        "description": fields.String,
        "default_project_id": fields.String,
        "enabled": fields.Boolean,
    },
)
USER = Model("User", {"user": fields.Nested(_USER_BODY)})
USERS = Model("Users", {"users": fields.List(fields.Nested(_USER_BODY))})

_PASSWORD_BODY = Model(
    "PasswordBody", {"original_password": fields.String(required=True), "password": fields.String(required=True)}
)
PASSWORD = Model("Password", {"user": fields.Nested(_PASSWORD_BODY, required=True)})

_CREDENTIAL_BODY = Model(
    "ApplicationCredentialBody",
    {
        "id": fields.String(readonly=True),
        "name": fields.String(required=True),
        "description": fields.String,
        "secret": fields.String,
        "roles": fields.List(fields.Nested(_NAMED)),
        "expires_at": fields.String,
        "unrestricted": fields.Boolean,
        "project_id": fields.String(readonly=True),
    },
)
CREDENTIAL = Model("ApplicationCredential", {"application_credential": fields.Nested(_CREDENTIAL_BODY, required=True)})
CREDENTIALS = Model("ApplicationCredentials", {"application_credentials": fields.List(fields.Nested(_CREDENTIAL_BODY))})

ALL = tuple(found for found in list(globals().values()) if isinstance(found, Model))
