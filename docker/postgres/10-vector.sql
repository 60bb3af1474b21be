-- Runs once, when the volume is empty. template1 too, so that a database restored beside this one has it.
CREATE EXTENSION IF NOT EXISTS vector;
\connect template1
CREATE EXTENSION IF NOT EXISTS vector;
