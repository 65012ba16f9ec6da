-- What the books refuse at COMMIT besides amounts.
select;
