"""The identity service's routes: under /identity, and at the root, where some clients expect Keystone."""

from __future__ import annotations

from apiserver.identity import credentials, listings, models, projects, roles, tokens, users, v2, versions
from apiserver.routing import Route, Service

_LISTINGS = (listings.Domains, listings.Roles, listings.Groups, listings.Regions, listings.Services, listings.Endpoints)

SERVICE = Service(
    name="identity",
    description="Who may do what: logging in, projects, users, application credentials",
    prefixes=("/identity", ""),
    routes=(
        Route("/", versions.Versions),
        Route("/v3", versions.V3),
        Route("/v3/", versions.V3),
        Route("/v3/auth/tokens", tokens.Tokens),
        Route("/v3/auth/catalog", tokens.Catalog),
        Route("/v3/auth/projects", tokens.OwnProjects),
        Route("/v3/auth/domains", tokens.OwnDomains),
        Route("/v3/projects", projects.Projects),
        Route("/v3/projects/<project_id>", projects.Project),
        Route("/v3/users", users.Users),
        Route("/v3/users/<user_id>", users.User),
        Route("/v3/users/<user_id>/projects", users.UserProjects),
        Route("/v3/users/<user_id>/groups", users.UserGroups),
        Route("/v3/users/<user_id>/password", users.Password),
        Route("/v3/users/<user_id>/application_credentials", credentials.Credentials),
        Route("/v3/users/<user_id>/application_credentials/<credential_id>", credentials.Credential),
        Route("/v3/projects/<project_id>/users/<user_id>/roles", roles.RolesOfUser),
        Route("/v3/projects/<project_id>/users/<user_id>/roles/<role_id>", roles.RoleOfUser),
        Route("/v3/role_assignments", roles.Assignments),
        *(Route(f"/v3/{listing.plural}", listing) for listing in _LISTINGS),
        *(Route(f"/v3/{listing.plural}/<item_id>", listing) for listing in _LISTINGS),
        Route("/v2.0", versions.V2),
        Route("/v2.0/", versions.V2),
        Route("/v2.0/tokens", v2.TokensV2),
        Route("/v2.0/tenants", v2.Tenants),
    ),
    models=models.ALL,
)

#: /identity without a slash, which the root has no counterpart of
BARE = Service(
    name="identity", description=SERVICE.description, prefixes=("/identity",), routes=(Route("", versions.Versions),)
)
