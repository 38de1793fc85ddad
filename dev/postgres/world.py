"""A server, a pretend service, workers: what the checks are made of."""

import glob
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request

PASSWORD = "canary-word-0123"

# What a check has open, to be closed whatever becomes of it.
OPEN = threading.local()


def binary(name):
    found = shutil.which(name) or sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"))[-1]
    return found


class Server:
    """A cluster of its own, on a socket in its folder."""

    def __init__(self, folder=None, tls=False):
        self.folder = folder or tempfile.mkdtemp(prefix="dset-pg-")
        self.data = os.path.join(self.folder, "data")
        self.as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        if self.as_user:
            shutil.chown(self.folder, "postgres")
        OPEN.things.append(self)
        secret = os.path.join(self.folder, "word")
        with open(secret, "w") as file:
            file.write(PASSWORD)
        if self.as_user:
            shutil.chown(secret, "postgres")
        self.run("initdb", "-D", self.data, "-U", "me", "-A", "scram-sha-256", f"--pwfile={secret}",
                 "--wal-segsize=1", "--no-sync", "-E", "UTF8", "--locale=C")
        with open(os.path.join(self.data, "postgresql.conf"), "a") as file:
            file.write(f"listen_addresses = ''\nunix_socket_directories = '{self.folder}'\n"
                       "max_connections = 60\nshared_buffers = 16MB\nmin_wal_size = 2MB\nmax_wal_size = 8MB\n")
        self.port = None
        if tls:
            self.speak_tls()
        self.start()

    def speak_tls(self):
        """On TCP too, by a certificate for `localhost` that an authority of its own has signed."""
        def made(*words):
            subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=self.folder)

        made("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=pretend authority")
        made("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "tls.key", "-out", "tls.csr", "-subj", "/CN=localhost",
             "-addext", "subjectAltName=DNS:localhost")
        made("x509", "-req", "-in", "tls.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "2", "-out", "tls.pem",
             "-copy_extensions", "copy")
        os.chmod(os.path.join(self.folder, "tls.key"), 0o600)
        if self.as_user:
            for name in ("tls.key", "tls.pem"):
                shutil.chown(os.path.join(self.folder, name), "postgres")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        with open(os.path.join(self.data, "postgresql.conf"), "a") as file:
            file.write(f"listen_addresses = '127.0.0.1'\nport = {self.port}\nssl = on\n"
                       f"ssl_cert_file = '{self.folder}/tls.pem'\nssl_key_file = '{self.folder}/tls.key'\n")
        with open(os.path.join(self.data, "pg_hba.conf"), "w") as file:
            file.write("local all all scram-sha-256\nhostssl all all 127.0.0.1/32 scram-sha-256\n")

    def run(self, program, *words):
        done = subprocess.run([*self.as_user, binary(program), *words], capture_output=True, text=True, cwd="/")
        if done.returncode != 0:
            raise RuntimeError(f"{program}: {done.stdout} {done.stderr}")
        return done.stdout

    def start(self):
        self.run("pg_ctl", "-D", self.data, "-w", "-l", os.path.join(self.folder, "log"), "start")

    def is_running(self):
        done = subprocess.run([*self.as_user, binary("pg_ctl"), "-D", self.data, "status"], capture_output=True, cwd="/")
        return done.returncode == 0

    def stop(self, mode="fast"):
        self.run("pg_ctl", "-D", self.data, "-m", mode, "-w", "stop")

    def sql(self, text, database="postgres", user="me"):
        done = subprocess.run([binary("psql"), "-X", "-h", self.folder, "-p", str(self.port or 5432), "-U", user, "-d", database, "-v", "ON_ERROR_STOP=1",
                               "-tAqc", text], capture_output=True, text=True, env={**os.environ, "PGPASSWORD": PASSWORD})
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        return done.stdout.strip()

    def number(self, text, database):
        return int(self.sql(text, database))

    def address(self, database, user="me", port=None):
        if port:
            return f"postgres://{user}@127.0.0.1:{port}/{database}?sslmode=disable"
        return f"postgres://{user}@{self.folder.replace('/', '%2F')}/{database}"

    def close(self):
        if self.is_running():
            self.stop("immediate")
        shutil.rmtree(self.folder, ignore_errors=True)


class Proxy:
    """Hands a TCP port on to the server's socket, until it is told to hand on nothing."""

    def __init__(self, server):
        self.target = os.path.join(server.folder, ".s.PGSQL.5432")
        self.is_silent = False
        self.open = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            upstream = socket.socket(socket.AF_UNIX)
            try:
                upstream.connect(self.target)
            except OSError:
                client.close()
                continue
            self.open.append((client, upstream))
            for ends in ((client, upstream), (upstream, client)):
                threading.Thread(target=self.pump, args=ends, daemon=True).start()

    def pump(self, source, target):
        try:
            while data := source.recv(65536):
                while self.is_silent:
                    time.sleep(0.05)
                target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.close()
            except OSError:
                pass


class Service:
    """`dset mock`, as a process."""

    def __init__(self, dset, *words):
        self.process = subprocess.Popen([dset, "mock", "--port", "0", *words], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        OPEN.things.append(self)
        self.url = None
        for stream in (self.process.stdout, self.process.stderr):
            line = stream.readline()
            if found := re.search(r"http://127\.0\.0\.1:\d+\S*", line):
                self.url = found.group(0).rstrip(".,`")
                break
        for stream in (self.process.stdout, self.process.stderr):
            threading.Thread(target=stream.read, daemon=True).start()

    def stats(self):
        port = re.search(r":(\d+)", self.url).group(1)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/stats") as reply:
            return json.load(reply)

    def cost(self):
        """What was billed, in dollars."""
        return float(str(self.stats()["cost"]).strip("$"))

    def close(self):
        self.process.kill()
        self.process.wait()


class Job:
    """Questions, split and put on a server; and its workers."""

    def __init__(self, dset, server, name, service, rows, shards, *words, address=None):
        self.dset, self.server, self.name, self.service = dset, server, name, service
        self.rows, self.shards, self.workers, self.count = rows, shards, [], 0
        self.folder = tempfile.mkdtemp(prefix=f"dset-{name}-")
        OPEN.things.append(self)
        with open(os.path.join(self.folder, "q.csv"), "w") as file:
            file.write("question,topic\n")
            # Some are alike, and are asked apart all the same.
            for row in range(rows):
                file.write(f"What is {row - row % 7 if row % 11 == 0 else row}?,t{row % 3}\n")
        server.sql(f'CREATE DATABASE "{name}"')
        self.address = address or server.address(name)
        self.split = self.run("job", "split", "q.csv", "--shards", str(shards), "--store", self.address,
                              "--base-url", service.url, "--key", "none", "-m", "m", *words)

    def environment(self, **more):
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH")}
        return {**kept, "PGPASSWORD": PASSWORD, "XDG_STATE_HOME": os.path.join(self.folder, "state"),
                "XDG_CONFIG_HOME": os.path.join(self.folder, "config"), "NO_PROXY": "*", **more}

    def run(self, *words, **more):
        return subprocess.run([self.dset, *words], cwd=self.folder, env=self.environment(**more),
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)

    def price(self, input, output):
        """Says what a million tokens cost, in dollars."""
        priced = self.run("prices", "set", "m", "--input", str(input), "--output", str(output))
        assert priced.returncode == 0, priced.stderr

    def work(self, *words, lease=3, folder=None):
        self.count += 1
        name = folder or f"w{self.count}"
        log = open(os.path.join(self.folder, f"worker-{self.count}.log"), "w")
        worker = subprocess.Popen([self.dset, "work", "--store", self.address, "-o", name, "--lease", str(lease), *words],
                                  cwd=self.folder, env=self.environment(), stdin=subprocess.DEVNULL,
                                  stdout=log, stderr=subprocess.STDOUT)
        worker.name, worker.log = name, log.name
        self.workers.append(worker)
        return worker

    def number(self, sql):
        return self.server.number(f"SET search_path TO dset; {sql}", self.name)

    def answers(self):
        return self.number("SELECT count(*) FROM answer")

    def until(self, condition, seconds=60):
        end = time.time() + seconds
        while time.time() < end:
            if condition():
                return True
            time.sleep(0.05)
        raise AssertionError(f"{self.name}: waited in vain; {self.logs()}")

    def logs(self):
        texts = []
        for worker in self.workers:
            with open(worker.log) as file:
                texts.append(f"{worker.name} ({worker.poll()}): {file.read()[-1500:]}")
        return "\n".join(texts)

    def wait(self, worker, code=0, seconds=90):
        try:
            found = worker.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name}: a worker does not end; {self.logs()}") from None
        assert found in (code if isinstance(code, tuple) else (code,)), f"{self.name}: exit {found}, not {code}; {self.logs()}"

    def merged(self, *words):
        done = self.run("job", "merge", "there", "--store", self.address, "--to", "all.jsonl", "--layout", "chat",
                        "--force", *words)
        assert done.returncode == 0, f"{self.name}: merge: {done.stdout} {done.stderr}"
        with open(os.path.join(self.folder, "all.jsonl"), "rb") as file:
            return file.read()

    def alone(self):
        """The same questions asked by one process, as a dataset."""
        done = self.run("run", "q.csv", "-o", "alone", "--base-url", self.service.url, "--key", "none", "-m", "m", "--quiet",
                        "--to", "alone.jsonl", "--layout", "chat")
        assert done.returncode == 0, done.stderr
        with open(os.path.join(self.folder, "alone.jsonl"), "rb") as file:
            return file.read()

    def check_whole(self):
        """Every row once, in the server and in the dataset."""
        distinct = self.number("SELECT count(DISTINCT key) FROM answer")
        assert (self.answers(), distinct) == (self.rows, self.rows), f"{self.answers()} answers, {distinct} keys"
        rows = self.merged().splitlines()
        assert len(rows) == self.rows, f"{len(rows)} rows"

    def paid_twice(self):
        """What the service answered beside what was wanted."""
        return self.service.stats()["answered"] - self.rows

    def close(self):
        for worker in self.workers:
            if worker.poll() is None:
                worker.send_signal(signal.SIGCONT)
                worker.kill()
                worker.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def pause(low, high):
    time.sleep(random.uniform(low, high))
