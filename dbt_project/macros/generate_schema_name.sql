{#- The schema as the folder gives it, without a prefix: the names of contracts.md are the names in the database. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name or target.schema }}
{%- endmacro %}
