"""A mail server on loopback that fails as it is told, at any step of a conversation, and keeps what it accepted."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Literal

Step = Literal["greeting", "ehlo", "mail", "rcpt", "data", "text", "stop", "quit"]
STEPS: tuple[Step, ...] = ("greeting", "ehlo", "mail", "rcpt", "data", "text", "stop")
"""The steps of a mail's way, in order: ``text`` is the middle of the mail's text, ``stop`` the full stop at its end."""

_USUAL: dict[str, bytes] = {
    "greeting": b"220 office.example ready\r\n",
    "ehlo": b"250-office.example\r\n250 SIZE 1000000\r\n",
    "mail": b"250 2.1.0 Ok\r\n",
    "rcpt": b"250 2.1.5 Ok\r\n",
    "data": b"354 go ahead\r\n",
    "stop": b"250 2.0.0 Ok: queued as 7F3A\r\n",
    "quit": b"221 2.0.0 Bye\r\n",
}


@dataclass
class PostOffice:
    """One server, which speaks the part of SMTP that is needed.

    Attributes:
        cut_at: Close the connection instead of replying at this step; at ``stop`` the mail is accepted all the same.
        hang_at: Say nothing at this step, ever; at ``stop`` the mail is accepted all the same.
        replies: What is replied at a step, instead of the usual.
        accepted: The texts of mails that it took in.
        recipients: Who they were for.
        commands: The lines that came.
    """

    cut_at: Step | None = None
    hang_at: Step | None = None
    replies: dict[str, bytes] = field(default_factory=dict[str, bytes])
    accepted: list[bytes] = field(default_factory=list[bytes])
    recipients: list[bytes] = field(default_factory=list[bytes])
    commands: list[bytes] = field(default_factory=list[bytes])

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        if not await self._step("greeting", reader, writer):
            return
        while line := await reader.readline():
            self.commands.append(line.rstrip())
            verb = line.split(maxsplit=1)[0].decode("ascii").strip().lower()
            if verb == "rcpt":
                self.recipients.append(line.strip())
            if not await self._step(verb, reader, writer) or verb == "quit":
                return
            if verb == "data" and b"354" in self._reply("data") and not await self._take(reader, writer):
                return

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if self.cut_at == "text":
            await reader.read(10)
            writer.transport.abort()
            return False
        if self.hang_at == "text":  # it takes nothing more, so that the mail cannot leave the sender
            await asyncio.sleep(1.5)
            return False
        text = (await reader.readuntil(b"\r\n.\r\n")).removesuffix(b".\r\n")
        if self._reply("stop").startswith(b"250"):
            self.accepted.append(text)
        return await self._step("stop", reader, writer)

    async def _step(self, step: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Reply as told; False where the connection is over."""
        if self.cut_at == step:
            writer.transport.abort()
            return False
        if self.hang_at == step:
            while await reader.read(65_536):
                pass
            return False
        writer.write(self._reply(step))
        await writer.drain()
        return True

    def _reply(self, step: str) -> bytes:
        return self.replies.get(step) or _USUAL.get(step, b"502 5.5.2 not known\r\n")
