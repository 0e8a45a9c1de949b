"""Addresses: what a user writes is expanded once; secrets in it are refused and not repeated."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from cpazmal_scale import storage
from cpazmal_scale.addresses import (
    FORBIDDEN_TEXT,
    address,
    holds_secret,
    is_remote,
    without_secrets,
)
from cpazmal_scale.config import RunConfig
from cpazmal_scale.errors import ConfigError, StoreMissing

SHARES = [
    "https://cloud.example.org/s/8sKq5d1cQx3mWbT/download",
    "https://cloud.example.org/index.php/s/8sKq5d1cQx3mWbT",
    "webdavs://cloud.example.org/public.php/dav/files/8sKq5d1cQx3mWbT/HH.tif",
    "https://www.dropbox.com/s/a15d1cd4e5f6g7h/scene.tif?dl=1",
    "https://www.dropbox.com/scl/fi/x/scene.tif?rlkey=5d1c&dl=1",
    "https://drive.google.com/file/d/1aBc5d1cGhIjK5mNoPqRsTuVwXyZ01234/view?usp=sharing",
    "https://drive.google.com/uc?export=download&id=1aBc5d1cGhIjK5mNoPqRsTuVwXyZ01234",
    "https://x.sharepoint.com/:u:/g/personal/a_b/EaBc5d1cGhIjK5mNoPqRsTuVwXyZ0123",
    "https://1drv.ms/u/s!Aq5d1c3fGhIjK5mNo",
    "https://objectstorage.example.com/p/aB3d5d1cjK9mN1pQ3sT5vW7yZ9/n/ns/b/box/o/HH.tif",
    "https://hooks.slack.com/services/T00000000/B00000000/aB3dE5gH7jK9mN5d1csT5vW7",
    "https://api.telegram.org/bot123456789:aB3dE5gH7jK9mN5d1csT5vW7/x",
    "https://app.box.com/shared/static/a1b2c35d1cf6g7h8i9j0.tif",
    "https://services.sentinel-hub.com/ogc/wms/7c2f9b1e-4a3d-4e8b-9f60-d2b7a15d1c93",
    "https://host/token/5d1cabcd/scene.tif",
    "https://host/api/key/5d1cabcd/scene.tif",
    "https://host/sas/5d1c/x.tif",
    "https://host/hdnts=exp=1~hmac=5d1c/x.tif",
    "https://mega.nz/file/x#aB3dE5gH7jK9mN5d1csT5vW7",
    "https%3A%2F%2Fcloud.example.org%2Fs%2F8sKq5d1cQx3mWbT",
    "/vsicurl/https://cloud.example.org/s/8sKq5d1cQx3mWbT/HH.tif",
]
"""Web addresses that let anybody in who knows them, as the named services write them."""
CODES = [
    "https://host/x.tif?code=a5d1c7Qx3mWbT9z",
    "https://host/x.tif?a=1&t=5d1c8sKq5cQx3mWbT",
    "https://host/api/x?k=9f8e7d6c5d1c4b3a2f1e",
    *("X-Vault-Token: 5d1c", "Ocp-Apim-Subscription-Key: 5d1c", "X-Goog-Api-Key: 5d1c"),
    *("AIzaSy5d1c5d1c5d1c5d1c5d1c5d1c5d1c5d1c5", "sk-proj-5d1c5d1c5d1c5d1c"),
    "ya29.5d1c5d1c5d1c5d1c5d1c",
    *("AZURE_STORAGE_KEY=5d1c5d1c", "export SSHPASS=5d1c", "mysql -u me -p5d1c db"),
    *("az storage blob list --account-key 5d1c", "aws configure set aws_secret_access_key 5d1c"),
]
"""Queries under a name that tells nothing, with a value that looks random, and what a schema cannot
tell of headers, keys and commands.
"""
OUTSIDE_ADDRESSES = [
    "{'key': '5d1c', 'secret': '5d1c'}",
    '{"endpoint_url": "http://minio:9000", "secret": "5d1c5d1c"}',
    r"'{\"aws_session_token\": \"5d1c\"}'",
    "{'password': 51501}",
    "aws_secret_access_key = 5d1c5d1c",
    "aws_session_token: 5d1c5d1c",
    "password: '5d1c'",
    "SharedAccessSignature sv=2022-11-02&ss=b&sig=5d1c%3D",
    "BlobEndpoint=x;SharedAccessSignature=sv=2022&sig=5d1c",
    "sv=2022-11-02&ss=b&srt=sco&sig=5d1c%3D",
]
SECRETS = [
    "s3://AKIAX:wJalr/K7MD+bPx@bucket/scenes",
    "s3://user:pass word@bucket/scenes",
    "https://user:p?w#d@host/x",
    "ftp://user:12345@host/x",
    "https://user:12345/ab@host/x",
    "s3://AKIAX:12345/K7MD+bPx@bucket/scenes",
    "s3://AKIA.X:1/K7MD@bucket/scenes",
    "https://user:007/K7MD@host/x",
    "https://ghp_TOKEN@host/x",
    "HTTPS://TOKEN@host",
    "s3://TOKEN@bucket/x",
    "abfs://box:key@account/x",
    "tcp://user:pw@10.0.0.1:8786",
    "simplecache::https://TOKEN@host/x",
    "https://me@example.org:5d1c@host/x",
    "https://user:p@5d1c@host/x",
    "https://host/x;token=5d1c",
    "https://host/x?X-Amz-Credential=a&X-Amz-Signature=5d1c",
    "https://host/x?x-goog-signature=5d1c",
    "https://account.blob/x?sv=2022&sig=5d1c",
    "https://host/x?a=1&access_token=5d1c",
    "s3://bucket/x?AWSAccessKeyId=a&Signature=b",
    "https://host/x?a=1%26sig=5d1c",
    "https://host/x?Authorization=5d1c",
    "https://host/x?jwt=5d1c",
    "https://host/x;jsessionid=5d1c",
    "https://host/x?hdnea=st=1~hmac=5d1c",
    "https://host/x?pass=5d1c",
    "https://host/x?orbit=12&pass=ASC&pwd=5d1c",
    "https://host/x?userPass=5d1c",
    "https://host/x?db_password1=5d1c",
    "https://host/x?X-Api-Key=5d1c",
    "https://host/x?a[token]=5d1c",
    "https://host/x?sas_token=sv%3D1%26sig%3D5d1c",
    "https://host/x?a=1%2526sig=5d1c",
    "https://host/p?url=https%3A%2F%2Fu%3Apw%40host",
    "https://host/x#access_token=5d1c",
    "https:/host/x?sig=5d1c",
    "https:/u:pw@host/x",
    "https:\\\\u:pw@host/x",
    "https:u:pw@host/x",
    "//u:pw@host/x",
    "u:pw@host.example/x",
    "me:pw@minio:9000",
    "https://:pw@host/x",
    "postgresql://u:pw@h/db",
    "/vsicurl/https://u:pw@h/x",
    "/vsicurl?header.Authorization=5d1c&url=https://h/x",
    f"ghp_{20 * 'TOKEN'}@github.com/a/b",
    f"ssh://github_pat_{20 * 'TOKEN'}@github.com/a/b",
    f"https://x-access-token:ghp_{20 * 'TOKEN'}@github.com/a",
    "{'headers': {'Authorization': 'Bearer 5d1c'}}",
    "Authorization: Basic 5d1c5d1c",
    "X-Auth-Token: 5d1c",
    "AccountName=x;AccountKey=5d1c;EndpointSuffix=core",
    "PG:host=h user=u password=5d1c",
    "MYSQL:db,user=u,password='5d1c',host=h",
    "/vsis3/k:5d1c@bucket/x",
    "AKIAIOSFODNN7EXAMPLE:5d1c/x@bucket/x",
    "https://host/x?PHPSESSID=5d1c",
    "https://host/x?pat=5d1c&api-version=7",
    *SHARES,
    "az://box:5d1c@account/x",
    "smb://me:5d1c@host/share",
    "https://host/x?pin=5d1c",
    "https://host/x?a=1&mdp=5d1c",
    "https://host/x?Kennwort=5d1c",
    "https://host/x?otp=5d1c&psw=5d1c",
    "Cookie: session=5d1c",
    "AKIAIOSFODNN7EXAMPLE wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "-----BEGIN RSA PRIVATE KEY----- 5d1c -----END RSA PRIVATE KEY-----",
    "tcp://user:pw@gpu1:8786",
    *OUTSIDE_ADDRESSES,
    '{"private_key": "-----BEGIN PRIVATE KEY-----\\nMIIE5d1c\\n-----END PRIVATE KEY-----\\n"}',
    "Proxy-Authorization: Basic 5d1c",
    *CODES,
]
PROLOGUES = [
    *("export AWS_SECRET_ACCESS_KEY=5d1c", "PGPASSWORD='5d1c' x", "x ALL,S3_TOKEN=5d1c"),
    *("setenv AWS_SECRET_ACCESS_KEY 5d1c", "srun --export=S3_SECRET=5d1c x", "x --password 5d1c"),
    *("wget --http-password=5d1c host", "curl -s -u 'me:5d1c' https://host/x"),
    "echo machine host login me password 5d1c",
    *("sshpass -p 5d1c ssh me@host", "sshpass -p'5d1c' ssh host"),
    "docker login -u me -p 5d1c host",
]
TOOLS = [
    *("smbclient //host/share -U 'me%5d1c'", "smbget --user=me%5d1c smb://host/x"),
    *("lftp -u me,5d1c sftp://host", "http --auth me:5d1c host/x", "https -a me:5d1c host/x"),
    *("openssl enc -d -aes256 -k 5d1c -in x", "openssl rsa -passin pass:5d1c -in x"),
    *("unzip -P 5d1c x.zip", "zip -r -P 5d1c x.zip x", "unrar x -p5d1c x.rar", "7z x -p5d1c x.7z"),
    *("mc alias set s3 https://host me 5d1c", "mc config host add s3 http://host:9000 me 5d1c"),
    *("redis-cli -h host -a 5d1c ping", "ldapsearch -D me -w 5d1c x", "htpasswd -bc f me 5d1c"),
    *("echo 5d1c | docker login host --password-stdin", "echo 5d1c | sudo -S mount x"),
    *("unzip -qP 5d1c x.zip", "curl -sSfu me:5d1c host", "curl --oauth2-bearer 5d1c host"),
    *("kinit me <<< 5d1c", "gdalinfo --config AWS_SECRET_ACCESS_KEY 5d1c /vsis3/b/x"),
    *("gsutil -o Credentials:gs_secret_access_key=5d1c ls", "sqlplus me/5d1c@host"),
    *("mount -t cifs -o user=me,pass=5d1c //host/x /x", "wandb login 5d1c5d1c5d1c5d1c5d1c5d1c"),
]
PLAIN = [
    *("unzip -p x.zip y | head", "zip -r x.zip x", "http host/x", "openssl sha256 -r x"),
    *("lftp -u me sftp://host", "smbclient -U me //host/x", "mc alias set s3 https://host"),
    *("echo done | tee log", "wandb login", "ldapsearch -W x", "redis-cli -h host ping"),
    "build/run",
    "/data/a@b:c/x",
    "/data/q?token=a",
    "s3://bucket/user@example.org/scenes",
    "https://minio.example:9000/a/b@c",
    "abfss://container@account.dfs.core.windows.net/x",
    "sftp://me@host/data",
    "http://[::1]:9000/a@b",
    "http://localhost:9000/a@b",
    "http://10.0.0.1:80/a@b/c@d",
    "http://minio:9000/a/b",
    "https://host/x?version=3&monkey=1&pass=ASC&author=me",
    "https://host/x?design=1&passenger=2&keyword=3&signal=4&pass=descending",
    "sftp://me@host:22/x",
    "ssh://git@github.com/a/b",
    "git@github.com:a/b.git",
    "s3://b/token/pass=2/key=1",
    "/data/key=1/pass=2/x;token=a",
    "a:b@c",
    "C:/a:b@c",
    "file:///data/a:b@c/x",
    "basic authors of token rings",
    "export AWS_SHARED_CREDENTIALS_FILE=/home/x/.aws/credentials",
    "export TOKEN=$(cat token.txt)",
    "docker login --password-stdin registry --token-file /run/token",
    "sort -u a:b --no-token",
    "setenv TOKEN_FILE /run/token",
    "x --token=$TOKEN --password /run/p",
    "user:pw",
    "incidence_angle<40 AND key='x'",
    "https://host/x?path=a&side=2&mackerel=3",
    "tls://10.0.0.1:8786",
    "https://host/TSX1_SAR__SSC______SM_S_SRA_20120503T060000_20120503T060008/x.tif",
    "https://host/download/scene20200108HH.tif",
    "https://host/d/20200108T054421Z/HH.tif",
    "https://host/files/S1A_IW_GRDH_1SDV_20200101T053012_030612_0381F2_A1B2_Gamma0_TC_VV.tif",
    "https://host/raster/Copernicus_DSM_COG_10_N45_00_E006_00_DEM/x.tif",
    "https://raw.githubusercontent.com/o/r/0a1b2c3d4e5f60718293a4b5c6d7e8f901234567/run.yaml",
    "https://host/mapOfGlaciersMontBlancDSC37v2Final2020.tif",
    "https://host/token/2020-01-08/key/HH.tif",
    "http://localhost:8888/maps/b4fcb9e12c3d4e5f.zarr",
    "https://host/data/key=1/pass=2/x.tif",
    "tcp://gpu1:8786/a@b",
    "az://container@account/x",
    "az://container@account.blob.core.windows.net/x",
    "oci://bucket@namespace/x",
    "smb://me@host/share",
    "{'beam': 'DSC37', 'order': 3, 'name': 'rock'}",
    "monkey: 5, keyword: ice, passes: ascending",
    "classes 'a': 'b'",
    "https://host/x?code=EPSG32632&t=2020-01-08T05:44:12Z&k=12345678901&p=descending",
    "https://host/x?t=20200108T054412&hash=none&code=glacier_de_la_mer",
    "mkdir -p build/5d1c && cp -p a b",
    *("mysql -p db < x.sql", "7z x a.7z", "curl --user-agent a:b x", "set -e"),
    "risk-assessment-of-alps",
]


@pytest.mark.parametrize("text", SECRETS)
def test_secrets_are_refused_wherever_an_address_is_set_and_not_repeated(text: str) -> None:
    assert holds_secret(text)
    for values in (
        {"workspace": text},
        {"ingest": {"scenes": text, "table": text}},
        {"samples": {"polygons": text}},
        {"assess": {"truth": text}},
        {"after": {"outlines": text}},
        {"cluster": {"kind": "address", "address": text}},
    ):
        with pytest.raises(ConfigError, match="leave it out") as caught:
            RunConfig.parse(values)
        said = str(caught.value)
        assert not any(part in said for part in ("TOKEN", ":pw", "wJalr", "5d1c"))
    shown = f"{StoreMissing('nothing', where=text)} {ConfigError(f'what is {text}?')}"
    shown += str(ConfigError("wrong", remedy=f"leave {text} out"))
    hidden = ("TOKEN", "K7MD", "pass word", "p?w", "12345", ":key", ":pw", "5d1c", "Signature=b")
    assert not any(part in shown for part in hidden), shown


BEYOND_A_SCHEMA = {
    "s3://AKIA.X:1/K7MD@bucket/scenes",
    "https://host/x?a=1%26sig=5d1c",
    "https://host/x?a=1%2526sig=5d1c",
    "https://host/x?pass=5d1c",
    "https://host/x?userPass=5d1c",
    "https:u:pw@host/x",
    "//u:pw@host/x",
    "/vsis3/k:5d1c@bucket/x",
    "https://host/x?pin=5d1c",
    "https://host/x?a=1&mdp=5d1c",
    "https://host/x?Kennwort=5d1c",
    "https://host/x?otp=5d1c&psw=5d1c",
    "AKIAIOSFODNN7EXAMPLE wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    *SHARES,
    *OUTSIDE_ADDRESSES,
    *CODES,
}


def test_what_a_schema_forbids_are_secrets_and_nothing_besides() -> None:
    forbidden = {text for text in SECRETS + PROLOGUES if re.search(FORBIDDEN_TEXT, text)}
    assert forbidden == {*SECRETS, *PROLOGUES} - BEYOND_A_SCHEMA
    assert not any(re.search(FORBIDDEN_TEXT, text) for text in PLAIN)


@pytest.mark.parametrize("line", PROLOGUES + TOOLS)
def test_jobs_get_no_secret_from_a_setting(line: str) -> None:
    with pytest.raises(ConfigError, match="leave it out"):
        RunConfig.parse({"cluster": {"slurm": {"prologue": ["module load x", line]}}})
    assert "5d1c" not in str(ConfigError(line))


@pytest.mark.parametrize("text", ["x/" + 256 * "a", 128 * "é", "a\0b", "\ud800"])
def test_names_that_no_file_can_have_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="no file has such a name"):
        RunConfig.parse({"ingest": {"scenes": text}})
    assert address("\udce9" + 254 * "a")  # a name of bytes that are no text


@pytest.mark.parametrize(
    "text", ["s3://", "S3://", "s3:///x", "gs:///a/b", "http://", "https:///", "simplecache::s3://"]
)
def test_addresses_without_a_bucket_or_host_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="where a bucket or host should stand"):
        RunConfig.parse({"ingest": {"scenes": text}})


@pytest.mark.parametrize(
    "text",
    [
        *("s3:/bucket/x", "S3:/bucket", "s3:bucket", "gs:/b/x", "file:/data/x", "tcp:/host:8786"),
        *("https:host/x", "simplecache::s3:/b/x", "abfs:/c@a/x", "unheard:/of", "s3:"),
    ],
)
def test_a_scheme_without_its_slashes_is_no_folder(text: str) -> None:
    with pytest.raises(ConfigError, match="two slashes follow the scheme"):
        RunConfig.parse({"ingest": {"scenes": text}})
    assert address(f"./{text}") == f"./{text}"


def test_a_scheme_means_the_same_in_capitals() -> None:
    assert address("S3://Bucket/X") == "s3://Bucket/X"
    assert address("SimpleCache::S3A://Bucket/X") == "simplecache::s3a://Bucket/X"
    assert address("FILE:///Data/X") == "file:///Data/X"
    assert address("/data/S3://x") == "/data/S3://x"


@pytest.mark.parametrize("text", PLAIN)
def test_other_addresses_stay_as_they_are(text: str) -> None:
    assert address(text) == text
    assert without_secrets(text) == text
    assert RunConfig(workspace=text).workspace == text


def test_the_home_folder_is_expanded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    config = RunConfig.parse({"workspace": "~/tw2", "ingest": {"scenes": "~"}})
    assert config.workspace == str(tmp_path / "home" / "tw2")
    assert config.ingest.scenes == str(tmp_path / "home")
    again = RunConfig.model_validate(json.loads(config.model_dump_json()))
    assert again == config
    assert RunConfig(workspace="./~/x").with_values({"seed": 1}).workspace == "./~/x"
    with pytest.raises(ConfigError, match="no home folder ~nobody-here"):
        RunConfig.parse({"workspace": "~nobody-here/x"})


def test_a_folder_called_tilde_is_never_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    for folder in ("~", "home"):
        storage.write_bytes(f"{folder}/x", folder.encode())
    assert storage.find("~") == [str(tmp_path / "~" / "x")]
    assert storage.sizes("~") == {"x": 1}
    storage.remove("~/x")
    assert not storage.exists("~/x")
    assert storage.read_bytes("home/x") == b"home"


NAMES = ["h#sh", "p%20c", "q?m", "co::lon", "run [2020]", "a*b", "{x}", "~", "$HOME", "a&b", "x!y"]


@pytest.mark.parametrize("name", NAMES)
def test_no_sign_in_a_name_has_a_meaning(name: str, tmp_path: Path) -> None:
    url = storage.join(str(tmp_path), name)
    storage.write_bytes(storage.join(url, "one.tif"), b"1")
    storage.write_bytes(storage.join(url, "two.txt"), b"2")
    assert not is_remote(name)
    assert [Path(found).name for found in storage.find(url)] == ["one.tif", "two.txt"]
    assert [Path(found).name for found in storage.find(f"{url}/*.tif")] == ["one.tif"]
    assert storage.find(f"{url}/one.tif") == [str(tmp_path / name / "one.tif")]
    assert storage.list_names(str(tmp_path)) == [name]
    assert storage.zarr_store(url).root == tmp_path / name
    storage.remove(url, recursive=True)
    assert storage.list_names(str(tmp_path)) == []


@pytest.mark.parametrize("name", [*NAMES[:8], "a?b"])
def test_nor_on_s3(name: str, s3_url: str) -> None:
    url = storage.join(s3_url, name)
    storage.write_bytes(storage.join(url, "one.tif"), b"1")
    assert storage.find(url) == [f"{url}/one.tif"]
    assert storage.find(f"{url}/*.tif") == [f"{url}/one.tif"]
    assert storage.read_bytes(storage.find(url)[0]) == b"1"
    import zarr

    made = zarr.create_group(storage.zarr_store(storage.join(url, "z")), attributes={"a": 1})
    assert made.attrs["a"] == 1
    assert storage.exists(storage.join(url, "z/zarr.json"))
    storage.write_bytes(storage.join(s3_url, "axb/one.tif"), b"1")
    storage.remove(storage.join(url, "one.tif"))
    storage.remove(url, recursive=True)
    assert storage.find(s3_url) == [f"{s3_url}/axb/one.tif"]
