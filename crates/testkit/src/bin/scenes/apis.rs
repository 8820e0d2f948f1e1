//! The services that are called: tables that `server` interprets.

/// A service.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) name: &'static str,
    pub(crate) host: &'static str,
    pub(crate) server: [u8; 4],
    pub(crate) port: u16,
    pub(crate) http2: bool,
    pub(crate) auth: Auth,
    /// A prime, so that owners are spread over objects by multiplication.
    pub(crate) users: u32,
    /// Behind the users: staff, then one admin for ten of staff.
    pub(crate) staff: u32,
    pub(crate) tenants: u32,
    pub(crate) subject: Subject,
    pub(crate) roles: [&'static str; 3],
    pub(crate) login: &'static str,
    /// Failed logins are answered 200 with an error in the body.
    pub(crate) quiet_failures: bool,
    pub(crate) me: &'static str,
    pub(crate) me_fields: &'static [(&'static str, Kind)],
    pub(crate) resources: &'static [Resource],
    /// Operations of admins: method and path.
    pub(crate) admin: &'static [(&'static str, &'static str)],
    /// Part of the traffic, in a hundred.
    pub(crate) share: u64,
}

/// How calls prove who makes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Auth {
    Bearer,
    Cookie,
    Key,
}

/// What users are called inside.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Subject {
    Number(u64),
    Padded(&'static str),
    Uuid,
    Code(&'static str),
}

/// Things of one sort.
#[derive(Debug)]
pub(crate) struct Resource {
    pub(crate) name: &'static str,
    pub(crate) path: &'static str,
    pub(crate) ids: Ids,
    pub(crate) owner: Owner,
    pub(crate) reach: Reach,
    /// Objects for each user.
    pub(crate) each: u32,
    pub(crate) fields: &'static [(&'static str, Kind)],
    pub(crate) writable: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ids {
    Sequential(u64),
    Uuid,
    Slug,
}

/// Where an object says whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    Nowhere,
    Field(&'static str),
    Nested(&'static str, &'static str),
    Tenant(&'static str),
}

/// Who may read an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    Own,
    Tenant,
    Public,
}

/// What a field holds; those of persons are the owner's.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Name,
    Email,
    Phone,
    Street,
    City,
    Birth,
    Card,
    LastFour,
    Iban,
    Ssn,
    Nhs,
    Amount,
    Count,
    Flag,
    Time,
    Title,
    Sentence,
    Status(&'static [&'static str]),
    PasswordHash,
}

use Kind::{
    Amount, Birth, City, Count, Email, Flag, Iban, LastFour, Name, Nhs, Phone, Sentence, Ssn, Status, Street,
    Time, Title,
};

const CURRENCY: Kind = Status(&["EUR", "GBP", "USD"]);

pub(crate) const SHOP: Api = Api {
    name: "shop",
    host: "shop.example",
    server: [10, 60, 0, 11],
    port: 8080,
    http2: false,
    auth: Auth::Bearer,
    users: 20_011,
    staff: 40,
    tenants: 1,
    subject: Subject::Number(10_000),
    roles: ["customer", "support", "admin"],
    login: "/api/v1/auth/login",
    quiet_failures: false,
    me: "/api/v1/users/me",
    me_fields: &[
        ("email", Email),
        ("name", Name),
        ("phone", Phone),
        ("birthDate", Birth),
        ("newsletter", Flag),
    ],
    resources: &[
        Resource {
            name: "orders",
            path: "/api/v1/orders",
            ids: Ids::Sequential(700_000),
            owner: Owner::Field("userId"),
            reach: Reach::Own,
            each: 6,
            fields: &[
                ("status", Status(&["open", "paid", "shipped", "delivered"])),
                ("total", Amount),
                ("currency", CURRENCY),
                ("createdAt", Time),
                ("email", Email),
                ("shippingStreet", Street),
                ("shippingCity", City),
                ("note", Sentence),
            ],
            writable: true,
        },
        Resource {
            name: "invoices",
            path: "/api/v1/invoices",
            ids: Ids::Sequential(300_100),
            owner: Owner::Nested("customer", "id"),
            reach: Reach::Own,
            each: 4,
            fields: &[
                ("amount", Amount),
                ("issuedAt", Time),
                ("cardLast4", LastFour),
                ("billingName", Name),
                ("street", Street),
            ],
            writable: false,
        },
        Resource {
            name: "wishlists",
            path: "/api/v1/wishlists",
            ids: Ids::Uuid,
            owner: Owner::Nowhere,
            reach: Reach::Own,
            each: 2,
            fields: &[("title", Title), ("items", Count), ("updatedAt", Time)],
            writable: true,
        },
        Resource {
            name: "products",
            path: "/api/v1/products",
            ids: Ids::Slug,
            owner: Owner::Nowhere,
            reach: Reach::Public,
            each: 1,
            fields: &[
                ("title", Title),
                ("price", Amount),
                ("currency", CURRENCY),
                ("stock", Count),
                ("description", Sentence),
            ],
            writable: false,
        },
        Resource {
            name: "reviews",
            path: "/api/v1/reviews",
            ids: Ids::Sequential(5_000),
            owner: Owner::Field("userId"),
            reach: Reach::Public,
            each: 2,
            fields: &[("stars", Count), ("text", Sentence), ("createdAt", Time)],
            writable: true,
        },
    ],
    admin: &[
        ("GET", "/api/v1/admin/users"),
        ("DELETE", "/api/v1/admin/users/{id}"),
        ("POST", "/api/v1/admin/refunds"),
        ("GET", "/api/v1/admin/reports/sales"),
    ],
    share: 38,
};

pub(crate) const BANK: Api = Api {
    name: "bank",
    host: "bank.example",
    server: [10, 60, 0, 21],
    port: 8080,
    http2: false,
    auth: Auth::Cookie,
    users: 8_009,
    staff: 30,
    tenants: 1,
    subject: Subject::Padded("C"),
    roles: ["customer", "advisor", "admin"],
    login: "/api/session",
    quiet_failures: true,
    me: "/api/customer",
    me_fields: &[
        ("fullName", Name),
        ("email", Email),
        ("phone", Phone),
        ("dateOfBirth", Birth),
        ("ssn", Ssn),
    ],
    resources: &[
        Resource {
            name: "accounts",
            path: "/api/accounts",
            ids: Ids::Uuid,
            owner: Owner::Field("account_owner"),
            reach: Reach::Own,
            each: 2,
            fields: &[
                ("iban", Iban),
                ("balance", Amount),
                ("currency", CURRENCY),
                ("type", Status(&["giro", "savings"])),
                ("holder", Name),
                ("opened", Time),
            ],
            writable: false,
        },
        Resource {
            name: "transactions",
            path: "/api/transactions",
            ids: Ids::Sequential(9_100_000),
            owner: Owner::Field("customerNumber"),
            reach: Reach::Own,
            each: 20,
            fields: &[
                ("amount", Amount),
                ("currency", CURRENCY),
                ("booked", Time),
                ("counterIban", Iban),
                ("purpose", Sentence),
            ],
            writable: false,
        },
        Resource {
            name: "cards",
            path: "/api/cards",
            ids: Ids::Sequential(52_000),
            owner: Owner::Nested("holder", "customerNumber"),
            reach: Reach::Own,
            each: 2,
            fields: &[
                ("last4", LastFour),
                ("limit", Amount),
                ("status", Status(&["active", "blocked"])),
                ("embossedName", Name),
            ],
            writable: true,
        },
        Resource {
            name: "transfers",
            path: "/api/transfers",
            ids: Ids::Uuid,
            owner: Owner::Nowhere,
            reach: Reach::Own,
            each: 3,
            fields: &[
                ("amount", Amount),
                ("toIban", Iban),
                ("purpose", Sentence),
                ("state", Status(&["draft", "confirmed"])),
            ],
            writable: true,
        },
        Resource {
            name: "branches",
            path: "/api/branches",
            ids: Ids::Slug,
            owner: Owner::Nowhere,
            reach: Reach::Public,
            each: 1,
            fields: &[("title", Title), ("city", City), ("opens", Status(&["08:30", "09:00"]))],
            writable: false,
        },
    ],
    admin: &[
        ("GET", "/api/admin/customers"),
        ("POST", "/api/admin/limits"),
        ("DELETE", "/api/admin/cards/{id}"),
    ],
    share: 24,
};

pub(crate) const CLINIC: Api = Api {
    name: "clinic",
    host: "clinic.example",
    server: [10, 60, 0, 31],
    port: 8080,
    http2: false,
    auth: Auth::Bearer,
    users: 3_001,
    staff: 60,
    tenants: 1,
    subject: Subject::Uuid,
    roles: ["patient", "clinician", "admin"],
    login: "/v2/login",
    quiet_failures: false,
    me: "/v2/me",
    me_fields: &[
        ("name", Name),
        ("email", Email),
        ("birthDate", Birth),
        ("nhsNumber", Nhs),
        ("phone", Phone),
    ],
    resources: &[
        Resource {
            name: "appointments",
            path: "/v2/appointments",
            ids: Ids::Uuid,
            owner: Owner::Nested("patient", "id"),
            reach: Reach::Own,
            each: 5,
            fields: &[
                ("startsAt", Time),
                ("department", Status(&["cardiology", "dermatology", "surgery"])),
                ("reason", Sentence),
                ("confirmed", Flag),
            ],
            writable: true,
        },
        Resource {
            name: "lab-results",
            path: "/v2/lab-results",
            ids: Ids::Sequential(880_000),
            owner: Owner::Field("patientId"),
            reach: Reach::Own,
            each: 8,
            fields: &[
                ("icd10", Status(&["E11.9", "I10", "J45.909", "F32.1", "M54.5"])),
                ("test", Status(&["HbA1c", "LDL", "TSH", "CRP"])),
                ("value", Amount),
                ("takenAt", Time),
                ("nhsNumber", Nhs),
                ("patientName", Name),
            ],
            writable: false,
        },
        Resource {
            name: "documents",
            path: "/v2/documents",
            ids: Ids::Uuid,
            owner: Owner::Nowhere,
            reach: Reach::Own,
            each: 3,
            fields: &[("title", Title), ("createdAt", Time), ("pages", Count), ("summary", Sentence)],
            writable: false,
        },
        Resource {
            name: "doctors",
            path: "/v2/doctors",
            ids: Ids::Slug,
            owner: Owner::Nowhere,
            reach: Reach::Public,
            each: 1,
            fields: &[
                ("title", Title),
                ("department", Status(&["cardiology", "dermatology", "surgery"])),
                ("city", City),
            ],
            writable: false,
        },
    ],
    admin: &[("GET", "/v2/admin/patients"), ("POST", "/v2/admin/roles"), ("GET", "/v2/admin/audit")],
    share: 16,
};

pub(crate) const SAAS: Api = Api {
    name: "saas",
    host: "app.work.example",
    server: [10, 60, 0, 41],
    port: 8080,
    http2: false,
    auth: Auth::Bearer,
    users: 5_003,
    staff: 20,
    tenants: 61,
    subject: Subject::Code("usr_"),
    roles: ["member", "agent", "admin"],
    login: "/v1/login",
    quiet_failures: false,
    me: "/v1/me",
    me_fields: &[
        ("display_name", Name),
        ("email", Email),
        ("locale", Status(&["en", "de", "fr"])),
        ("two_factor", Flag),
    ],
    resources: &[
        Resource {
            name: "tickets",
            path: "/v1/tickets",
            ids: Ids::Sequential(41_000),
            owner: Owner::Tenant("tenant"),
            reach: Reach::Tenant,
            each: 12,
            fields: &[
                ("subject", Title),
                ("state", Status(&["new", "open", "done"])),
                ("created_at", Time),
                ("reporter_email", Email),
                ("text", Sentence),
            ],
            writable: true,
        },
        Resource {
            name: "projects",
            path: "/v1/projects",
            ids: Ids::Slug,
            owner: Owner::Tenant("tenant_id"),
            reach: Reach::Tenant,
            each: 1,
            fields: &[("title", Title), ("members", Count), ("archived", Flag), ("created_at", Time)],
            writable: true,
        },
        Resource {
            name: "files",
            path: "/v1/files",
            ids: Ids::Uuid,
            owner: Owner::Nested("workspace", "tenant"),
            reach: Reach::Tenant,
            each: 6,
            fields: &[("name", Title), ("size", Count), ("uploaded_at", Time), ("uploader_email", Email)],
            writable: true,
        },
        Resource {
            name: "shares",
            path: "/v1/shares",
            ids: Ids::Uuid,
            owner: Owner::Tenant("tenant"),
            reach: Reach::Public,
            each: 1,
            fields: &[("title", Title), ("views", Count), ("text", Sentence)],
            writable: false,
        },
        Resource {
            name: "payslips",
            path: "/v1/payslips",
            ids: Ids::Sequential(91_000),
            owner: Owner::Field("employee"),
            reach: Reach::Own,
            each: 4,
            fields: &[
                ("month", Status(&["2025-10", "2025-11", "2025-12"])),
                ("net", Amount),
                ("iban", Iban),
                ("employee_name", Name),
            ],
            writable: false,
        },
    ],
    admin: &[
        ("GET", "/v1/admin/members"),
        ("PATCH", "/v1/admin/members/{id}"),
        ("POST", "/v1/admin/exports"),
        ("GET", "/v1/admin/audit"),
    ],
    share: 22,
};

/// gRPC over HTTP/2 in clear; its users are the clinic's.
pub(crate) const LAB: Api = Api {
    name: "lab",
    host: "lab.clinic.example",
    server: [10, 60, 0, 32],
    port: 50_051,
    http2: true,
    resources: &[],
    admin: &[],
    share: 0,
    ..CLINIC
};

/// A server of the Model Context Protocol; its callers are service accounts with keys.
pub(crate) const TOOLS: Api = Api {
    name: "tools",
    host: "mcp.work.example",
    server: [10, 60, 0, 42],
    port: 8090,
    auth: Auth::Key,
    users: 211,
    staff: 0,
    resources: &[],
    admin: &[],
    share: 0,
    ..SAAS
};

/// Those that people log in to.
pub(crate) const PEOPLES: [&Api; 4] = [&SHOP, &BANK, &CLINIC, &SAAS];

impl Api {
    /// The place of a resource by its name.
    pub(crate) fn resource(&self, name: &str) -> &Resource {
        let found = self.resources.iter().find(|resource| resource.name == name);
        found.expect("tables name the resources they have")
    }

    /// The first resource that only its owner may read.
    pub(crate) fn private(&self, ids: impl Fn(Ids) -> bool) -> &Resource {
        let owned = |resource: &&Resource| resource.reach == Reach::Own && resource.owner != Owner::Nowhere;
        let mut found = self.resources.iter().filter(owned);
        found.find(|resource| ids(resource.ids)).expect("every service has objects of both sorts")
    }
}
