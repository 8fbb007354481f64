import pytest

from songgenre.redaction import redact

SECRETS = {
    "https://anna:pa55w0rd@host/a": "https://***@host/a",
    "got 'ftp://anna:p@ss@host:21/a'": "got 'ftp://***@host:21/a'",
    "https://ghp_0123456789@github.com": "https://***@github.com",
    "s3://AKIA:se+cret@bucket/a and http://b:c@d": "s3://***@bucket/a and http://***@d",
    "https://host/a?size=3&token=abc&b=c": "https://host/a?size=3&token=***&b=c",
    '<a href="https://host/?b=c&amp;X-Amz-Signature=0a1b">': '<a href="https://host/?b=c&amp;X-Amz-Signature=***">',
    "https://host/a?AWSAccessKeyId=AKIA&api_key=abc": "https://host/a?AWSAccessKeyId=***&api_key=***",
    "https://host/a?sig=abc%3D": "https://host/a?sig=***",
}

HARMLESS = [
    "mail anna@example.org",
    "https://host/@anna?monkey=3#part",
    "abfs://container@account.dfs.core.windows.net/audio",
    "s3://bucket/audio",
    "tcp://host:8786",
    "token = 3; key=value",
    "^https://elements\\.envato\\.com/[^/?#]+-[A-Z0-9]{7}$",
]


@pytest.mark.parametrize("text", SECRETS)
def test_secrets_in_addresses_are_hidden(text: str) -> None:
    assert redact(text) == SECRETS[text]


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize("name", ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "FSSPEC_FTP_PASSWORD", "SOME_API_KEY"])
def test_what_secret_variables_hold_is_hidden(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "wJalr/XUtn+FEMI")
    assert redact("denied: wJalr/XUtn+FEMI, k=wJalr%2FXUtn%2BFEMI.") == "denied: ***, k=***."


def test_what_other_variables_hold_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_FOLDER", "/path/to/music")
    monkeypatch.setenv("SHORT_TOKEN", "a")
    assert redact("a song in /path/to/music") == "a song in /path/to/music"
