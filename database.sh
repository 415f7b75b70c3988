#!/bin/sh
# Runs once, when PostgreSQL's folder is new: Piecewise gets a role of its own, which owns its one database and is no more.
set -eu
psql --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres \
  --set word="$PIECEWISE_DATABASE_PASSWORD" <<'SQL'
CREATE ROLE piecewise LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD :'word';
CREATE DATABASE piecewise OWNER piecewise;
REVOKE ALL ON DATABASE piecewise FROM PUBLIC;
REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC;
SQL
