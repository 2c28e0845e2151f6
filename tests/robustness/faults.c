/* Loaded before the C library: the Nth operation on files below a folder fails, or ends the process.

   gcc -shared -fPIC -O1 -o faults.so faults.c -ldl; LD_PRELOAD=faults.so. `faults_begin` chooses folder and fault. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum fault { NONE, KILL, TEAR, FAIL };

static char folder[4096];
static enum fault fault;
static int error, forever;
static long first, operations;

/* From now on count the operations below `path`. The one with number `number`, and with `and_later` also all after
   it, is hit: KILL before it, TEAR in the middle of a write (elsewhere as KILL), FAIL with errno `code`. */
void faults_begin(const char *path, long number, int kind, int code, int and_later) {
    strncpy(folder, path, sizeof folder - 1);
    first = number, fault = kind, error = code, forever = and_later, operations = 0;
}

long faults_end(void) {
    folder[0] = 0;
    return operations;
}

static void die(void) {
    kill(getpid(), SIGKILL);
    pause();
}

/* Whether this operation on a path is to fail. */
static int hit(const char *path, int is_write) {
    if (!folder[0] || !path || strncmp(path, folder, strlen(folder)))
        return 0;
    long number = ++operations;
    if (fault == NONE || !(number == first || (forever && number > first)))
        return 0;
    if (fault == KILL || (fault == TEAR && !is_write))
        die();
    errno = error;
    return 1;
}

static int hit_open_file(int file, int is_write) {
    char link[64], path[4096];
    if (!folder[0] || file < 3)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0)
        return 0;
    path[length] = 0;
    return hit(path, is_write);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define OPEN(name)                                                                          \
    int name(const char *path, int flags, ...) {                                            \
        va_list rest;                                                                       \
        va_start(rest, flags);                                                              \
        mode_t mode = va_arg(rest, mode_t);                                                 \
        va_end(rest);                                                                       \
        int reads = (flags & O_ACCMODE) == O_RDONLY && !(flags & (O_CREAT | O_DIRECTORY)); \
        return !reads && hit(path, 0) ? -1 : REAL(name)(path, flags, mode);                 \
    }
OPEN(open)
OPEN(open64)

ssize_t write(int file, const void *bytes, size_t count) {
    if (hit_open_file(file, 1)) {
        if (fault != TEAR)
            return -1;
        REAL(write)(file, bytes, count / 2);
        die();
    }
    return REAL(write)(file, bytes, count);
}

int fsync(int file) { return hit_open_file(file, 0) ? -1 : REAL(fsync)(file); }
int flock(int file, int kind) { return hit_open_file(file, 0) ? -1 : REAL(flock)(file, kind); }
int rename(const char *from, const char *to) { return hit(to, 0) ? -1 : REAL(rename)(from, to); }
int chmod(const char *path, mode_t mode) { return hit(path, 0) ? -1 : REAL(chmod)(path, mode); }
int mkdir(const char *path, mode_t mode) { return hit(path, 0) ? -1 : REAL(mkdir)(path, mode); }
int rmdir(const char *path) { return hit(path, 0) ? -1 : REAL(rmdir)(path); }
int unlink(const char *path) { return hit(path, 0) ? -1 : REAL(unlink)(path); }
