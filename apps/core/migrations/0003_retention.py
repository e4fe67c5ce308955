import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0002_words_of_reasons"),
    ]

    operations = [
        migrations.CreateModel(
            name="PurgeMark",
            fields=[
                ("name", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("number", models.BigIntegerField(default=0, help_text="The last id that it has been through.")),
                ("moment", models.DateTimeField(blank=True, help_text="Up to when it has been through.", null=True)),
            ],
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="idempotencyrecord",
            name="idempotency_record_is_not_updated",
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="idempotencyrecord",
            trigger=pgtrigger.compiler.Trigger(
                name="idempotency_record_is_not_updated",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (NOT (OLD.answer @> NEW.answer AND OLD.created_at < now() - interval '30 days' AND (OLD.id, OLD.scope, OLD.key, OLD.operation, OLD.body_hash, OLD.outcome, OLD.status, OLD.created_at) IS NOT DISTINCT FROM (NEW.id, NEW.scope, NEW.key, NEW.operation, NEW.body_hash, NEW.outcome, NEW.status, NEW.created_at)))",
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;",
                    hash="437fce0d470675dc752e062f6098494b143cb669",
                    operation="UPDATE",
                    pgid="pgtrigger_idempotency_record_is_not_updated_a71b3",
                    table="core_idempotencyrecord",
                    when="BEFORE",
                ),
            ),
        ),
    ]
