{#- The rows that speak for their key: of the object versions in force, the one
    exported last, then the later object key, then the later line. Duplicates
    are not dropped before that: a duplicate speaks as of its own object.
    Adds `exported_at` and `object_key`. -#}
{% macro latest_in_force(relation, key_columns) -%}
    select distinct on ({% for column in key_columns %}landed.{{ column }}{{ ", " if not loop.last }}{% endfor %})
        landed.*,
        source_objects.exported_at,
        source_objects.key as object_key
    from {{ relation }} as landed
    inner join {{ source('raw', 'source_objects') }} as source_objects
        on
            landed.object_id = source_objects.object_id
            and source_objects.is_in_force
    order by
        {% for column in key_columns %}landed.{{ column }}, {% endfor %}
        source_objects.exported_at desc,
        source_objects.key collate "C" desc,
        landed.line_number desc
{%- endmacro %}
