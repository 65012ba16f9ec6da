-- The line of each field of a terms document, counted from the document's first line: a fault that only shows beside
-- other documents names its line, too (rule T4). Null: landed before this migration.
alter table raw.terms add column lines jsonb;
