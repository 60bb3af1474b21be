#!/bin/sh
# Makes the secrets that compose.yaml mounts, once: docker/secrets/, files of mode 0600. What is there is left alone.
#
# A file belongs to the one user that reads it, because compose mounts it into the container with the owner it has here:
# 10001 is the image's user, 999 that of PostgreSQL and of Valkey. Giving a file away needs root; otherwise the command
# for it is printed.
set -eu
umask 077
cd "$(dirname "$0")"
mkdir -p secrets
chmod 0700 secrets

APP=10001
SERVER=999
GIVE=""

hex() { # BYTES
    od -An -v -N"$1" -tx1 /dev/urandom | tr -d ' \n'
}

put() { # NAME OWNER, content from standard input
    if [ -e "secrets/$1" ]; then
        cat > /dev/null
    else
        cat > "secrets/.$1.new"
        mv "secrets/.$1.new" "secrets/$1"
        echo "made  docker/secrets/$1"
    fi
    chmod 0600 "secrets/$1"
    if [ "$(id -u)" -eq 0 ]; then
        chown "$2" "secrets/$1"
    else
        GIVE="$GIVE
  sudo chown $2 $(pwd)/secrets/$1"
    fi
}

# The address of a server and what the server checks are two files with one password: both new, or both there.
pair() { # NAME OF THE ADDRESS, NAME OF THE SERVER'S FILE
    if { [ -e "secrets/$1" ] && [ ! -e "secrets/$2" ]; } || { [ ! -e "secrets/$1" ] && [ -e "secrets/$2" ]; }; then
        echo "docker/secrets/$1 and docker/secrets/$2 belong together, and one of them is missing." >&2
        exit 1
    fi
}

pair database_url database_password
pair redis_url valkey_acl

hex 48 | put secret_key "$APP"
kid="k$(hex 4)"
key="$(head -c 32 /dev/urandom | base64 | tr -d '\n')"
printf '{"active": "%s", "keys": {"%s": "%s"}}' "$kid" "$kid" "$key" | put keyring "$APP"

password="$(hex 24)"
printf '%s' "$password" | put database_password "$SERVER"
printf 'postgresql://ikiro_owner:%s@postgres:5432/ikiro' "$password" | put database_url "$APP"

password="$(hex 24)"
# Valkey gets a hash only, and a user that may do nothing but PING, for its health check.
{
    printf 'user default on #%s ~* &* +@all\n' "$(printf '%s' "$password" | sha256sum | cut -d' ' -f1)"
    printf 'user health on nopass resetkeys resetchannels -@all +ping\n'
} | put valkey_acl "$SERVER"
printf 'redis://:%s@valkey:6379/0' "$password" | put redis_url "$APP"

# Empty means: not used. Write the value into the file and start the services again.
for name in openai_api_key anthropic_api_key smtp_url; do
    : | put "$name" "$APP"
done

if [ -n "$GIVE" ]; then
    echo "The containers run as other users than you. As root, give each file to its reader:$GIVE"
fi
