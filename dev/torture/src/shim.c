/* Stands between a program and the C library, and makes its file operations fail, lie or kill.
 *
 * Loaded by LD_PRELOAD; sees whatever goes through the C library, and nothing else: programs that
 * make system calls themselves, write through memory maps or use io_uring are out of its sight.
 *
 * TORTURE_ROOT   only paths that begin so concern it
 * TORTURE_RULES  rules separated by `;`, each `OPS:PATTERN:NTH:ACTION:TIMES`
 *                OPS      letters: w write, s sync, r rename, o open to write, t truncate,
 *                         u unlink, m mkdir; `any` for all of these
 *                PATTERN  the end of the path, or a part of it after a `*`
 *                NTH      from which matching call on, from 1; one counter for the process
 *                ACTION   before, half, after: SIGKILL there; late: before it, after LATE_US, in
 *                         which other threads go on; eio, enospc, emfile: fails so;
 *                         short: writes half and says so; lie: says that it is done and does
 *                         nothing; none
 *                TIMES    for how many calls; 0 for every further one
 * TORTURE_LOG    a file that gets a line for every operation, and one for every rule that acts
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum action { NONE, BEFORE, LATE, HALF, AFTER, EIO_, ENOSPC_, EMFILE_, SHORT, LIE };
static const char *const actions[] = {"none",   "before", "late",   "half",  "after", "eio",
                                      "enospc", "emfile", "short", "lie"};

struct rule {
    char ops[16];
    char pattern[128];
    long nth, times;
    enum action action;
    atomic_long count;
};

#define RULES_MAX 8
/* A slow disk: long enough for whoever does not wait for it to be seen. */
#define LATE_US 30000
static struct rule rules[RULES_MAX];
static int rules_count;
static char root[PATH_MAX];
static size_t root_length;
static int log_fd = -1;
static atomic_int ready;

__attribute__((constructor)) static void start(void) {
    const char *where = getenv("TORTURE_ROOT");
    if (!where) return;
    snprintf(root, sizeof root, "%s", where);
    root_length = strlen(root);
    const char *text = getenv("TORTURE_RULES");
    char copy[4096];
    snprintf(copy, sizeof copy, "%s", text ? text : "");
    char *rest = NULL;
    for (char *one = strtok_r(copy, ";", &rest); one; one = strtok_r(NULL, ";", &rest)) {
        struct rule *rule = &rules[rules_count];
        char action[16];
        if (rules_count == RULES_MAX ||
            sscanf(one, "%15[^:]:%127[^:]:%ld:%15[^:]:%ld", rule->ops, rule->pattern, &rule->nth,
                   action, &rule->times) != 5) {
            fprintf(stderr, "torture: no rule: %s\n", one);
            abort();
        }
        size_t at = 0, known = sizeof actions / sizeof *actions;
        while (at < known && strcmp(actions[at], action)) at++;
        if (at == known) {
            fprintf(stderr, "torture: no action: %s\n", action);
            abort();
        }
        rule->action = (enum action)at;
        rules_count++;
    }
    const char *log = getenv("TORTURE_LOG");
    if (log) log_fd = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    atomic_store(&ready, 1);
}

static void note(const char *what, char op, const char *path) {
    if (log_fd < 0) return;
    char line[PATH_MAX + 64];
    int length = snprintf(line, sizeof line, "%s %c %s\n", what, op, path + root_length);
    syscall(SYS_write, log_fd, line, (size_t)length);
}

static void die(void) {
    syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
    for (;;) pause();
}

static int matches(const char *path, const char *pattern) {
    if (*pattern == '*') return strstr(path, pattern + 1) != NULL;
    size_t all = strlen(path), end = strlen(pattern);
    return all >= end && !strcmp(path + all - end, pattern);
}

/* Counts an operation and says what is to become of it; kills where that is to be before it. */
static enum action meet(char op, const char *path) {
    if (!atomic_load(&ready) || strncmp(path, root, root_length)) return NONE;
    note("op", op, path);
    enum action due = NONE;
    for (int i = 0; i < rules_count; i++) {
        struct rule *rule = &rules[i];
        if (strcmp(rule->ops, "any") && !strchr(rule->ops, op)) continue;
        if (!matches(path, rule->pattern)) continue;
        long count = atomic_fetch_add(&rule->count, 1) + 1;
        int acts = count >= rule->nth && (rule->times == 0 || count < rule->nth + rule->times);
        if (acts && rule->action != NONE && due == NONE) due = rule->action;
    }
    if (due == NONE) return NONE;
    note("acts", op, path);
    switch (due) {
    case BEFORE: die(); break;
    case LATE: usleep(LATE_US); die(); break;
    case EIO_: errno = EIO; break;
    case ENOSPC_: errno = ENOSPC; break;
    case EMFILE_: errno = EMFILE; break;
    default: break;
    }
    return due;
}

static int fails(enum action action) {
    return action == EIO_ || action == ENOSPC_ || action == EMFILE_;
}

static enum action meet_fd(char op, int fd) {
    if (!atomic_load(&ready)) return NONE;
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    long length = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
    if (length <= 0) return NONE;
    path[length] = 0;
    return path[0] == '/' ? meet(op, path) : NONE;
}

/* The absolute path of a name in a folder, without looking at the file. */
static enum action meet_name(char op, int folder, const char *name) {
    if (!atomic_load(&ready)) return NONE;
    char path[PATH_MAX * 2];
    if (name[0] == '/') return meet(op, name);
    char link[64];
    if (folder == AT_FDCWD) snprintf(link, sizeof link, "/proc/self/cwd");
    else snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    long length = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
    if (length <= 0) return NONE;
    snprintf(path + length, sizeof path - (size_t)length, "/%s", name);
    return meet(op, path);
}

#define REAL(name, type) \
    static __typeof__(type) real; \
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, name)

/* Half of it, and never at the end of a line: a torn row is what is wanted. */
static size_t half_of(const void *bytes, size_t size) {
    size_t half = size / 2;
    return half > 3 && ((const char *)bytes)[half - 1] == '\n' ? half - 3 : half;
}

#define WRITTEN(call_whole, call_half, size) \
    do { \
        if (fails(due)) return -1; \
        if (due == LIE) return (ssize_t)(size); \
        if (due == HALF || due == SHORT) { \
            ssize_t done = (size) > 1 ? (call_half) : 0; \
            if (due == HALF) die(); \
            return done; \
        } \
        ssize_t done = (call_whole); \
        if (due == AFTER) die(); \
        return done; \
    } while (0)

#define DONE(call) \
    do { \
        if (fails(due)) return -1; \
        if (due == LIE) return 0; \
        int done = (call); \
        if (due == AFTER || due == HALF) die(); \
        return done; \
    } while (0)

ssize_t write(int fd, const void *bytes, size_t size) {
    REAL("write", ssize_t (*)(int, const void *, size_t));
    if (fd <= 2) return real(fd, bytes, size);
    enum action due = meet_fd('w', fd);
    WRITTEN(real(fd, bytes, size), real(fd, bytes, half_of(bytes, size)), size);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL("writev", ssize_t (*)(int, const struct iovec *, int));
    if (fd <= 2) return real(fd, parts, count);
    enum action due = meet_fd('w', fd);
    size_t size = 0;
    for (int i = 0; i < count; i++) size += parts[i].iov_len;
    struct iovec half = {parts[0].iov_base, half_of(parts[0].iov_base, parts[0].iov_len)};
    WRITTEN(real(fd, parts, count), real(fd, &half, 1), size);
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at) {
    REAL("pwrite64", ssize_t (*)(int, const void *, size_t, off64_t));
    enum action due = meet_fd('w', fd);
    WRITTEN(real(fd, bytes, size, at), real(fd, bytes, half_of(bytes, size), at), size);
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at) {
    return pwrite64(fd, bytes, size, at);
}

int fsync(int fd) {
    REAL("fsync", int (*)(int));
    enum action due = meet_fd('s', fd);
    DONE(real(fd));
}

int fdatasync(int fd) {
    REAL("fdatasync", int (*)(int));
    enum action due = meet_fd('s', fd);
    DONE(real(fd));
}

int ftruncate64(int fd, off64_t size) {
    REAL("ftruncate64", int (*)(int, off64_t));
    enum action due = meet_fd('t', fd);
    DONE(real(fd, size));
}

int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

int rename(const char *from, const char *to) {
    REAL("rename", int (*)(const char *, const char *));
    enum action due = meet_name('r', AT_FDCWD, to);
    DONE(real(from, to));
}

int renameat(int from_folder, const char *from, int to_folder, const char *to) {
    REAL("renameat", int (*)(int, const char *, int, const char *));
    enum action due = meet_name('r', to_folder, to);
    DONE(real(from_folder, from, to_folder, to));
}

int unlink(const char *name) {
    REAL("unlink", int (*)(const char *));
    enum action due = meet_name('u', AT_FDCWD, name);
    DONE(real(name));
}

int unlinkat(int folder, const char *name, int flags) {
    REAL("unlinkat", int (*)(int, const char *, int));
    enum action due = meet_name('u', folder, name);
    DONE(real(folder, name, flags));
}

int mkdir(const char *name, mode_t mode) {
    REAL("mkdir", int (*)(const char *, mode_t));
    enum action due = meet_name('m', AT_FDCWD, name);
    DONE(real(name, mode));
}

static int opened(int (*real)(int, const char *, int, ...), int folder, const char *name, int flags,
                  mode_t mode) {
    int writes = (flags & O_ACCMODE) != O_RDONLY;
    enum action due = writes ? meet_name('o', folder, name) : NONE;
    if (fails(due)) return -1;
    int fd = real(folder, name, flags, mode);
    if (due == AFTER || due == HALF) die();
    return fd;
}

#define MODE(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { \
        va_list rest; \
        va_start(rest, flags); \
        mode = va_arg(rest, mode_t); \
        va_end(rest); \
    }

int openat64(int folder, const char *name, int flags, ...) {
    REAL("openat64", int (*)(int, const char *, int, ...));
    MODE(flags);
    return opened(real, folder, name, flags, mode);
}

int openat(int folder, const char *name, int flags, ...) {
    MODE(flags);
    return openat64(folder, name, flags, mode);
}

int open64(const char *name, int flags, ...) {
    MODE(flags);
    return openat64(AT_FDCWD, name, flags, mode);
}

int open(const char *name, int flags, ...) {
    MODE(flags);
    return openat64(AT_FDCWD, name, flags, mode);
}
