-- The user and the database of b3scale: psql -v ON_ERROR_STOP=1 -f b3scale.sql postgres
-- Then give the user a password: psql -c '\password b3scale' postgres

CREATE ROLE b3scale LOGIN;

-- Names of people and meetings are in any script. The order of the locale does not matter to b3scale.
CREATE DATABASE b3scale OWNER b3scale ENCODING 'UTF8' TEMPLATE template0;

-- b3scaled sets these for each of its sessions. Behind a pooler sessions change hands: then the user must have them.
ALTER ROLE b3scale SET statement_timeout = '60s';
ALTER ROLE b3scale SET lock_timeout = '1s';
ALTER ROLE b3scale SET idle_in_transaction_session_timeout = '3s';

-- In postgresql.conf: max_connections above instances × (B3SCALE_DB_POOL_SIZE + 2); leave fsync and synchronous_commit on,
-- or a crash forgets where meetings are. In pg_hba.conf, with the network of the instances:
--   hostssl b3scale b3scale 10.0.0.0/24 scram-sha-256
-- And in B3SCALE_DB_URL: sslmode=verify-full, with sslrootcert=FILE where the certificate is signed by yourselves.
