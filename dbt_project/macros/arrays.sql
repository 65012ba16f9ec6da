{#- The distinct texts of a group in one order on every machine: byte by byte. -#}
{% macro sorted_texts(text) -%}
    array_agg(distinct {{ text }} collate "C" order by {{ text }} collate "C")
{%- endmacro %}
