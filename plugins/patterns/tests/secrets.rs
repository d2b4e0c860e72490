//! Keys, passwords, private keys.

mod common;

use common::{finds, finds_none, found};
use countersign_patterns::Kind;

#[test]
fn keys_and_tokens() {
    let (plain, upper) = ("a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8", "A1B2C3D4E5F6G7H8");
    for text in [
        format!("⟦ghp_{plain}⟧"),
        format!("token ⟦github_pat_{plain}_{plain}⟧."),
        format!("⟦glpat-{}⟧", &plain[..20]),
        format!("⟦xoxb-123456789012-{}⟧", &plain[..24]),
        format!("⟦AKIA{upper}⟧"),
        format!("KEY=⟦AIza{}⟧", &plain[..35]),
        format!("⟦sk-ant-api03-{plain}⟧"),
        format!("⟦sk-{plain}⟧"),
        format!("⟦sk_live_{}⟧", &plain[..24]),
        format!("⟦npm_{plain}⟧"),
        format!("⟦hf_{}⟧", "aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeFgH"),
        format!("Bearer ⟦eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.{plain}⟧"),
        format!(r#"{{"text":"line\n⟦ghp_{plain}⟧"}}"#),
        "aws_secret_access_key = ⟦wJalrXUtnFEMI/K7MDENG/bPxRfiCYzEXAMPLEKEY1⟧".to_owned(),
        r#""client_secret": "⟦8f14e45fceea167a5a36dedd4bea2543⟧""#.to_owned(),
        "api-key: ⟦0123456789abcdef0123⟧".to_owned(),
        "accessToken=⟦0123456789abcdef0123==⟧".to_owned(),
    ] {
        finds(Kind::ApiKey, &text);
    }
    for text in [
        format!("ghp_{}", &plain[..35]),
        "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx".to_owned(),
        format!("AKIA{upper}9"),
        format!("XAKIA{upper}"),
        "sk-learn-contributors-guide-of-2".to_owned(),
        "eyJhbGciOiJIUzI1NiJ9".to_owned(),
        "secret: the one ring to rule them all".to_owned(),
        "next_token=abcdefghijklmnop1234".to_owned(),
        "api_key == 0123456789abcdef0123".to_owned(),
    ] {
        finds_none(&text);
    }
}

#[test]
fn what_opens_a_service_in_a_request() {
    let random = "7fK2pQ9xZr4LmN8vT3sW6yB1cD5eG0hJ";
    for text in [
        format!("Authorization: Bearer ⟦{random}⟧"),
        format!("authorization: token ⟦{random}⟧"),
        format!("-H 'Authorization: Bearer ⟦{random}⟧' -d x"),
        format!(r#"{{"Authorization": "Bearer ⟦{random}⟧"}}"#),
        format!(r#"{{"authorization":"⟦{random}⟧"}}"#),
        "Authorization: Basic ⟦QWxhZGRpbjpvcGVuIHNlc2FtZQ==⟧".to_owned(),
        "Authorization: Bearer ⟦abcdefghijklmnopqrstuvwxyz⟧".to_owned(),
        format!("sent with bearer ⟦{random}⟧, refused"),
        format!("GET /files?token=⟦{random}⟧&page=2"),
    ] {
        finds(Kind::ApiKey, &text);
    }
    for text in [
        "Authorization: Bearer ${TOKEN}",
        "Authorization: Bearer <your token>",
        "Authorization: Bearer",
        "authorization: required",
        "The bearer authentication_middleware_config is loaded first.",
        "The token authentication_middleware_config is loaded first.",
        "See basic troubleshooting/installation-and-upgrade for details.",
        "let authorization = format!(\"Bearer {token}\");",
        "?page_token=abcdefghijklmnop1234",
        "a bearer share of 2026",
    ] {
        finds_none(text);
    }
}

/// Code, style sheets and the like that name a secret, or look like one, without holding any.
#[test]
fn code_is_left_alone() {
    for text in [
        // Types of fields and arguments.
        "function login(user: string, password: string): Promise<Login> {",
        "  password: string;",
        "password: Optional[str] = None",
        "fn open(password: &str, secret: SecretString) -> Result<(), Error> {",
        "password?: string | null",
        "const apiKey: ApiKeyProvider = makeProvider();",
        // Looked up elsewhere.
        "  secret: process.env.COOKIE_SECRET,",
        "password: process.env.DB_PASSWORD2!",
        "password = os.environ[\"DB_PASSWORD\"]",
        "password = settings.DATABASE_2.password",
        "api_key = std::env::var(\"API_KEY\")?;",
        "password: ${{ secrets.DB_PASSWORD }}",
        // Calls and comparisons.
        "private String clientSecret = config.getClientSecret();",
        "    password = request.form.get(\"password\")",
        "hashed_password = bcrypt.hashpw(pw, salt)",
        "if password == confirmPassword:",
        "password: z.string().min(12)",
        "password => hash(password)",
        // Nothing yet.
        "    \"password\": \"********\",",
        "password: undefined",
        "The password must be at least 12 characters long.",
        "const password = user2Password;",
        "check(password: Argon2Hash)",
        // Labels, types and what stands for a password that is to come.
        r#""password": "string""#,
        r#""password": "Please enter your password.""#,
        "password: \"your-password\"",
        "password: required",
        // Style sheets.
        ".sk-toggleable__label-arrow { color: red }",
        "input.password:hover{color:red}",
        "sk-loading-indicator__circle--12",
        // Ids, digests and lines of a diff.
        "request 3f2504e0-4f89-41d3-9a0c-672331071866 accepted",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "@@ -1,3 +1,3 @@\n-1755302400\n+1755302500",
        "index 83db48f..bf269f4 100644",
        "npm_config_registry=https://registry.npmjs.org/",
        "hf_transformers_cache_dir",
        "SG.UserManager.create_user",
        // Units of a system.
        "systemctl status user@1000.service",
        "sk-ssh-agent.socket",
    ] {
        let secrets: Vec<_> = found(text).into_iter().filter(|(kind, _)| kind.is_secret()).collect();
        assert_eq!(secrets, [], "{text:?}");
    }
}

/// Every issuer's own form, where it stands and in code; and what differs from it by a letter or two.
#[test]
fn keys_of_issuers() {
    let hex = "0123456789abcdef".repeat(4);
    let mixed = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0u1V2w3X4y5Z6";
    let table = [
        format!("github_pat_{}_{}", &mixed[..22], &mixed[..50]),
        format!("ghs_{}", &mixed[..36]),
        format!("glpat-{}", &mixed[..20]),
        format!("glrt-{}", &mixed[..20]),
        format!("AIza{}", &mixed[..35]),
        format!("npm_{}", &mixed[..36]),
        format!("dapi{}", &hex[..32]),
        format!("lin_api_{}", &mixed[..40]),
        format!("figd_{}", &mixed[..40]),
        format!("glsa_{}_{}", &mixed[..32], &hex[..8]),
        format!("rubygems_{}", &hex[..48]),
        format!("shpss_{}", &hex[..32]),
        format!("sbp_{}", &hex[..40]),
        format!("ntn_{}", &mixed[..46]),
        format!("r8_{}", &mixed[..37]),
        format!("xoxb-123456789012-{}", &mixed[..24]),
        format!("dop_v1_{hex}"),
        format!("PMAK-{}-{}", &hex[..24], &hex[..34]),
    ];
    for key in table {
        finds(Kind::ApiKey, &format!("⟦{key}⟧"));
        finds(Kind::ApiKey, &format!("export X=⟦{key}⟧\n"));
        finds(Kind::ApiKey, &format!("{{\"a\": \"⟦{key}⟧\"}}"));
        finds_none(&key[..key.len() / 2]);
        finds_none(&format!("x{key}"));
    }
}

#[test]
fn cookies() {
    let random = "7fK2pQ9xZr4LmN8vT3sW6yB1cD5eG0hJ";
    for text in [
        format!("Cookie: session=⟦{random}⟧"),
        format!("Set-Cookie: sid=⟦{random}⟧; Path=/; HttpOnly"),
        format!("cookie: theme=dark; sid=⟦s%3A{random}⟧; lang=en"),
    ] {
        finds(Kind::ApiKey, &text);
    }
    for text in ["Cookie: theme=dark; lang=en", "cookie: required", "Set-Cookie: a=b; Path=/; Max-Age=3600"] {
        finds_none(text);
    }
}

#[test]
fn the_body_of_a_key_without_its_lines() {
    let body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7fK2pQ9xZr4Lm";
    finds(Kind::PrivateKey, &format!("⟦{body}\n{body}\nzK9=⟧\n"));
    finds(Kind::PrivateKey, &format!("{{\"key\":\"⟦{body}⟧\"}}"));
    finds(Kind::PrivateKey, "k ⟦MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f⟧");
    // Of a public key, and of a certificate.
    finds_none("MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAu1SU1LfVLPHCozMxH2Mo");
    finds_none("MIIDdzCCAl+gAwIBAgIEAgAAuTANBgkqhkiG9w0BAQUFADBaMQswCQYDVQQGEwJJ");
}

#[test]
fn passwords() {
    for text in [
        "password=⟦hunter22⟧",
        "Password: ⟦hunter22⟧",
        "DB_PASSWORD='⟦Sup3r S3cret⟧'",
        r#"{"password":"⟦letmein⟧"}"#,
        r#"{\"passwd\": \"⟦x9!kQz⟧\"}"#,
        "pwd := \"⟦s3cr3t!⟧\"",
        "passphrase: ⟦correct-horse-9⟧",
        "?user=a&password=⟦s3cr3t99⟧&x=1",
        "password=⟦grüße99⟧",
    ] {
        finds(Kind::PasswordAssignment, text);
    }
    for text in [
        "password=short",
        "password: please ask somebody",
        "password = get_password()",
        "password=${PASSWORD}",
        "password: <yours>",
        "password=********",
        "password=password",
        "if password == 'hunter22'",
        "passwords: hunter22",
        "PWD=/home/ada",
        "password: string",
        "password = self.password",
    ] {
        finds_none(text);
    }
}

#[test]
fn credentials_in_addresses() {
    for text in [
        "postgres://⟦ada:s3cret⟧@db.example.org/x",
        "https://⟦0123456789abcdef0123⟧@example.org",
        "git clone https://⟦u:p⟧@[::1]/r",
    ] {
        finds(Kind::UrlCredentials, text);
    }
    for text in [
        "https://example.org/a:b@c",
        "https://ada@example.org",
        "https://{user}:{password}@host",
        "ssh://git@example.org:22",
        "https://ada:***@example.org",
    ] {
        assert!(found(text).iter().all(|(kind, _)| *kind != Kind::UrlCredentials), "{text}: {:?}", found(text));
    }
}

#[test]
fn private_keys() {
    let body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7";
    finds(Kind::PrivateKey, &format!("x ⟦-----BEGIN RSA PRIVATE KEY-----\n{body}\n-----END RSA PRIVATE KEY-----⟧ y"));
    finds(
        Kind::PrivateKey,
        &format!(r#"{{"k":"⟦-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----⟧\n"}}"#),
    );
    finds(Kind::PrivateKey, &format!("⟦-----BEGIN OPENSSH PRIVATE KEY-----\n{body} é⟧"));
    finds(Kind::PrivateKey, &format!("⟦-----BEGIN PRIVATE KEY-----\n{body}é⟧-----BEGIN"));
    finds(Kind::PrivateKey, "⟦-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----⟧");
    finds(Kind::PrivateKey, r#"{"k":"⟦-----BEGIN PRIVATE KEY-----\nMC4CAQAw\n-----END PRIVATE KEY-----⟧"}"#);
    finds_none("-----BEGIN PRIVATE KEY-----\nMIIE...\n-----END PRIVATE KEY-----");
    finds_none("-----BEGIN PRIVATE KEY-----\nYOURKEY\n-----END PRIVATE KEY-----");
    finds_none("-----BEGIN PRIVATE KEY-----\n\n-----END PRIVATE KEY-----");
    for text in
        ["-----BEGIN PUBLIC KEY-----", "a line with -----BEGIN PRIVATE KEY----- in it", "-----BEGIN PRIVATE KEY"]
    {
        finds_none(text);
    }
    let public = "MIIDdzCCAl+gAwIBAgIEAgAAuTANBgkqhkiG9w0BAQUFADBaMQswCQYDVQQGEwJJ";
    finds_none(&format!("-----BEGIN CERTIFICATE-----\n{public}\n-----END CERTIFICATE-----"));
}

#[test]
fn of_two_that_overlap_the_heavier_stays() {
    assert_eq!(found("https://ada:s3cret@example.org").len(), 1);
    assert_eq!(found("password=ada@example.org"), [(Kind::PasswordAssignment, "ada@example.org")]);
    assert_eq!(found("hiv@example.org"), [(Kind::EmailAddress, "hiv@example.org")]);
}

/// A mark of a shell or a quote of another kind within a secret hides none of it.
#[test]
fn secrets_with_marks_in_them() {
    for text in [
        "postgres://⟦svc:Jx8$Q2pLm4Vt⟧@db.internal/p",
        "mysql://⟦root:S3cr3t$⟧@db.internal/p",
        "amqp://⟦app:$ecret9!x⟧@mq.internal:5672/v",
        "redis://⟦:p4$$w0rd⟧@cache.internal:6379/0",
    ] {
        finds(Kind::UrlCredentials, text);
    }
    for text in [
        "DB_PASSWORD='⟦a\"b⟧'",
        "DB_PASSWORD='⟦Jx8\"Q2pLm⟧'",
        "DB_PASSWORD=\"⟦it's-9-late⟧\"",
        r#"{"command":"DB_PASSWORD='⟦Jx\"8Q2pLm⟧' ./run"}"#,
        r#"{"command":"DB_PASSWORD=\"⟦Jx\\\"8Q2pLm⟧\" ./run"}"#,
        r#"{"password":"⟦Jx\"8Q2pLm⟧","user":"x"}"#,
        "DB_PASSWORD='⟦$Jx8!Q2pLm⟧'",
        "DB_PASSWORD=${DB_PASSWORD:-⟦Sup3rS3cret9⟧}",
    ] {
        finds(Kind::PasswordAssignment, text);
    }
}

/// What documentation, templates and configurations write where a secret is to come.
#[test]
fn what_stands_for_a_secret() {
    for text in [
        "AKIAIOSFODNN7EXAMPLE",
        "aws_access_key_id = AKIAI44QH8DHBEXAMPLE",
        "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "JWT_SECRET=your-256-bit-secret",
        "API_KEY=your_api_key_1234567890",
        "CLIENT_SECRET=replace-with-32-random-bytes",
        "APP_SECRET=changeme-1234567890abcdef",
        "postgres://postgres:postgres@localhost:5432/app",
        "mysql://root:root@127.0.0.1/app",
        "redis://:password@localhost:6379",
        "amqp://user:pass@localhost",
        "https://user:password@example.org/x",
        "postgres://$PGUSER:$PGPASSWORD@db.internal/p",
        "postgres://app:%DB_PASSWORD%@db.internal/p",
        "postgres://app:your-password@db.internal/p",
        "PASSWORD=${DB_PASSWORD:-postgres}",
        "POSTGRES_PASSWORD: ${POSTGRES_PASSWORD:-postgres}",
        "DB=${DB_PASSWORD:?required}",
        "DB=${DB_PASSWORD:?set the password first}",
        "${X:?required}",
        "ALTER ROLE app PASSWORD :'app_password';",
        "ALTER ROLE app PASSWORD :'rolePassword2';",
        "password: !vault |\n  $ANSIBLE_VAULT;1.1;AES256",
        "password: !secret mqtt_2 # home",
        "password: op://vault/item/password",
        "DB_PASSWORD=op://Private/db-2/password",
        "password: ref+vault://secret/data/db2#/password",
        "spring.datasource.password=@db.password@",
        "password=@db2.password@",
        "password=__DB_PASSWORD_2__",
        "label.password=Kennwort",
        "login.form.password=Passphrase",
        "error.password=Falsch!",
        "password = \"app_password\"",
        "password='\" + password + \"'",
        "password: $DB_PASSWORD",
    ] {
        finds_none(text);
    }
}
