#!/bin/sh
# Makes the passwords deploy/compose.yaml needs, once: sh deploy/secrets.sh [FOLDER]
#
# The folder is closed to everybody but you; the files in it are not, because each container reads its own as another user.
set -eu
umask 077
folder=${1:-$(dirname "$0")/secrets}
if [ -e "$folder" ]; then
  echo "$folder is there already: its passwords are in use. To make new ones, change them at the servers, too." >&2
  exit 1
fi
password() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
mkdir "$folder"
postgres=$(password)
rabbitmq=$(password)
printf '%s\n' "$postgres" >"$folder/postgres_password"
printf 'postgres://waybill:%s@postgres:5432/waybill\n' "$postgres" >"$folder/database_url"
printf 'default_vhost = waybill\ndefault_user = waybill\ndefault_pass = %s\n' "$rabbitmq" >"$folder/rabbitmq_conf"
printf 'amqp://waybill:%s@rabbitmq:5672/waybill\n' "$rabbitmq" >"$folder/amqp_url"
chmod 644 "$folder"/*
echo "made: $folder"
