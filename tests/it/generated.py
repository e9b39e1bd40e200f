"""Uses the client that openapi-python-client makes of the server's description: generated.py URL KEY PDF."""
import sys
from io import BytesIO
from pathlib import Path

from bindery_client import AuthenticatedClient
from bindery_client.api.results import image, pages, result
from bindery_client.api.tasks import list_, submit
from bindery_client.models import Problem, SubmitForm, SubmitFormTables, SubmitTables, TaskStatus
from bindery_client.types import File

url, key, path = sys.argv[1:]
client = AuthenticatedClient(base_url=url, token=key)
pdf = Path(path).read_bytes()


def document():
    return File(payload=BytesIO(pdf), file_name="book.pdf", mime_type="application/pdf")


# As a form, with the file and options.
form = SubmitForm(file=document(), processor="text", keep_headers=True, tables=SubmitFormTables.HTML, wait=60.0)
task = submit.sync(client=client, body=form)
assert task.status == TaskStatus.COMPLETED and task.pages.done == 3, task
assert task.file_name == "book.pdf", task

# As the bytes of the file, with options beside it.
other = submit.sync(client=client, body=document(), processor="text", tables=SubmitTables.MARKDOWN, pages="2", wait=60.0)
assert other.status == TaskStatus.COMPLETED and other.pages.done == 1, other

markdown = result.sync(id=task.id, client=client)
assert "page 3" in markdown, markdown
assert [page.page for page in pages.sync(id=task.id, client=client).pages] == [1, 2, 3]
picture = image.sync(id=task.id, page=2, client=client)
assert picture.payload.read(4) == b"\x89PNG"
assert {of.id for of in list_.sync(client=client).tasks} == {task.id, other.id}

refused = submit.sync(client=client, body=document(), image_side=5)
assert isinstance(refused, Problem) and refused.code == "bad_option", refused
stranger = list_.sync(client=AuthenticatedClient(base_url=url, token="no-key-of-anyone"))
assert isinstance(stranger, Problem) and stranger.code == "unauthorized", stranger
print("all is as described")
