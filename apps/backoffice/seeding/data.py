"""The sample data of `seed_demo`. Ids are fixed, so that seeding again finds the records."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID, uuid5

from apps.core.enums import MembershipRole, Role
from apps.tenants.enums import OrganizationKind

# Ids are derived from names, so that every installation has the same sample data.
_NAMESPACE = UUID("5a4c2f0e-7d0b-4c55-9a3e-5f6f0f2f9b11")


def seed_id(name: str) -> UUID:
    """Derive the id of a sample record from its name."""
    return uuid5(_NAMESPACE, name)


@dataclass(frozen=True, slots=True)
class SeedUser:
    email: str
    name: str
    # Who can sign in to the billing pages with the sample password.
    can_sign_in: bool = False


@dataclass(frozen=True, slots=True)
class SeedStaff:
    email: str
    name: str
    role: Role


@dataclass(frozen=True, slots=True)
class SeedOrganization:
    slug: str
    name: str
    kind: OrganizationKind
    time_zone: str
    owner: str
    members: tuple[tuple[str, MembershipRole], ...] = ()
    workspaces: tuple[tuple[str, str], ...] = ()
    products: tuple[str, ...] = ()
    is_demo: bool = False


@dataclass(frozen=True, slots=True)
class Seeds:
    products: tuple[tuple[str, str], ...]
    staff: tuple[SeedStaff, ...]
    users: tuple[SeedUser, ...]
    organizations: tuple[SeedOrganization, ...]


# Slug, name and price a month in cents.
PLANS = (("starter", "Starter", 1900), ("team", "Team", 4900), ("business", "Business", 19900))

SEEDS = Seeds(
    products=(("red", "Red"), ("blue", "Blue"), ("green", "Green")),
    staff=(
        SeedStaff("pat@countinghouse.example", "Pat Platform", Role.PLATFORM_ADMIN),
        SeedStaff("bill@countinghouse.example", "Bill Operations", Role.BILLING_OPERATIONS),
        SeedStaff("sue@countinghouse.example", "Sue Support", Role.SUPPORT),
    ),
    users=(
        SeedUser("olivia@northwind.example", "Olivia Ortega", can_sign_in=True),
        SeedUser("adam@northwind.example", "Adam Achebe", can_sign_in=True),
        SeedUser("mia@northwind.example", "Mia Marchetti"),
        SeedUser("victor@northwind.example", "Victor Vale", can_sign_in=True),
        SeedUser("ines@example.com", "Inès Ibarra", can_sign_in=True),
    ),
    organizations=(
        SeedOrganization(
            slug="northwind",
            name="Northwind Traders",
            kind=OrganizationKind.TEAM,
            time_zone="Europe/Berlin",
            owner="olivia@northwind.example",
            members=(
                ("adam@northwind.example", MembershipRole.ADMIN),
                ("mia@northwind.example", MembershipRole.MEMBER),
                ("victor@northwind.example", MembershipRole.VIEWER),
            ),
            workspaces=(
                ("northwind-production", "Production"),
                ("northwind-staging", "Staging"),
                ("northwind-research", "Research"),
            ),
            products=("red", "blue"),
        ),
        SeedOrganization(
            slug="ines-ibarra",
            name="Inès Ibarra",
            kind=OrganizationKind.INDIVIDUAL,
            time_zone="America/New_York",
            owner="ines@example.com",
            workspaces=(("ines", "Personal"),),
            products=("red",),
        ),
    ),
)

# Made anew every night under the same slugs, so that only the first one has the ids that follow from its name.
DEMO = SeedOrganization(
    slug="demo",
    name="Demo organization",
    kind=OrganizationKind.TEAM,
    time_zone="UTC",
    owner="dana@demo.example",
    members=(
        ("drew@demo.example", MembershipRole.ADMIN),
        ("mika@demo.example", MembershipRole.MEMBER),
        ("vera@demo.example", MembershipRole.VIEWER),
    ),
    workspaces=(("demo", "Demo workspace"),),
    products=("red", "blue", "green"),
    is_demo=True,
)
DEMO_USERS = (
    SeedUser("dana@demo.example", "Dana Demo"),
    SeedUser("drew@demo.example", "Drew Demo"),
    SeedUser("mika@demo.example", "Mika Demo"),
    SeedUser("vera@demo.example", "Vera Demo"),
)
