//! What ordinary calls meet and find a way around is no reason to stop, and a busy service none either.

use super::*;

#[test]
fn the_agent_finds_another_way() {
    for error in [
        "bash: ./backup.sh: Permission denied",
        "cat: notes.txt: No such file or directory",
        "bash: rg: command not found",
        "curl: (22) The requested URL returned error: 404",
        "401 Client Error: Unauthorized for url: http://localhost/api/v4/projects",
        "403 Forbidden",
        "SyntaxError: invalid token",
        "bash: syntax error near unexpected token `|'",
        "{\"error\":\"invalid_request\",\"error_description\":\"unsupported grant type\"}",
        "{\"access_token\":\"…\",\"refresh_token\":\"…\",\"scope\":\"api\",\"expires_in\":7200}",
        "KeyError: 'private_token'",
        "sqlite3.OperationalError: no such table: billing",
        "customer 4711 is not registered",
        "ls: cannot access '/Documents/Administrative Specialist': No such file or directory",
        "npm ERR! missing script: test",
        "bad credentials",
        "CSRF token expired, reload the page",
        "line 429 of 503",
    ] {
        assert_eq!(short(&classify(&call(error))), "self", "{error}");
        assert_eq!(short(&classify(&shell(error))), "self", "{error}");
    }
}

#[test]
fn a_busy_service_is_asked_again() {
    for error in [
        "429 Too Many Requests",
        "Rate limit exceeded, retry in 20 s",
        "upstream answered with status 503",
        "HTTP 502",
        "500 Internal Server Error",
        "Service temporarily unavailable, try again later",
        "connect ECONNREFUSED 127.0.0.1:5432",
        "read: connection reset by peer",
        "requests.exceptions.ReadTimeout: read timed out",
        "{\"type\":\"overloaded_error\"}",
    ] {
        assert_eq!(short(&classify(&call(error))), "retry", "{error}");
    }
}

#[test]
fn authority_is_missing() {
    for (error, who) in [
        ("Request had insufficient authentication scopes.", "administrator"),
        ("{\"ok\":false,\"error\":\"missing_scope\",\"needed\":\"channels:read\"}", "administrator"),
        ("{\"ok\":false,\"error\":\"invalid_auth\"}", "user"),
        ("{\"ok\":false,\"error\":\"account_inactive\"}", "user"),
        ("invalid_grant: Token has been expired or revoked.", "user"),
        ("API key not valid. Please pass a valid API key.", "user"),
        ("invalid x-api-key", "user"),
        ("402 Payment Required", "user"),
        ("429 You exceeded your current quota, please check your plan and billing details.", "user"),
        ("Unknown tool: web_search", "administrator"),
    ] {
        assert_eq!(short(&classify(&call(error))), who, "{error}");
    }
}
