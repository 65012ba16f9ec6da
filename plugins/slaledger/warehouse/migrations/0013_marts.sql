-- The marts are the owner's plain tables: dbt fills them, and makes none.
select;
