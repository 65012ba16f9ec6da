-- Who prepared a build stays who prepared it.
select;
