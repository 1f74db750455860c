// What the standard library does without the sanitizer's seeing it, told to the sanitizer.
//
// The library that comes with Rust is compiled without it. The quick path of a lock is compiled into
// whoever uses it, and is seen; the slow one, of which the functions below are, is not. Each is called
// through a `__wrap_` (the linker's `--wrap`), which says afterwards what it ordered. Their names, which
// differ from release to release, come from `run`.
//
// Arguments and results are handed on in registers as C does; so does Rust, for numbers and pointers.
// It is no promise of Rust's: `run` begins with a program that shows that all this is right.

typedef unsigned long word;

void __tsan_acquire(void *);
void __tsan_release(void *);

#define PASTE(a, b) a##b
#define REAL(name) PASTE(__real_, name)
#define WRAP(name)                                                                                 \
    word REAL(name)(char *, char *, word, word, word, word);                                       \
    word PASTE(__wrap_, name)(char *self, char *b, word c, word d, word e, word f)
#define CALL(name) REAL(name)(self, b, c, d, e, f)

// The state is one of the first two 32-bit fields.
#define LOCK(name)                                                                                 \
    WRAP(name) {                                                                                   \
        word result = CALL(name);                                                                  \
        __tsan_acquire(self);                                                                      \
        __tsan_acquire(self + 4);                                                                  \
        return result;                                                                             \
    }
LOCK(MUTEX_LOCK)
LOCK(RWLOCK_READ)
LOCK(RWLOCK_WRITE)

// Unlocks the mutex, its second argument, and locks it again.
#define WAIT(name)                                                                                 \
    WRAP(name) {                                                                                   \
        __tsan_release(b);                                                                         \
        word result = CALL(name);                                                                  \
        __tsan_acquire(b);                                                                         \
        return result;                                                                             \
    }
WAIT(CONDVAR_WAIT)
WAIT(CONDVAR_WAIT_TIMEOUT)

// Each that comes goes on after all have come.
WRAP(BARRIER_WAIT) {
    __tsan_release(self);
    word result = CALL(BARRIER_WAIT);
    __tsan_acquire(self);
    return result;
}

// A thread of a scope is done. The scope reads the count, which is one of the first three fields.
WRAP(SCOPE_DONE) {
    for (int at = 0; at < 24; at += 8)
        __tsan_release(self + at);
    return CALL(SCOPE_DONE);
}

// `Arc` (and seize) lower a count with `Release`, and whoever finds it zero goes on behind a fence,
// which the sanitizer does not know. So the lowering itself is taken for both.
enum { RELEASE = 3, ACQUIRE_RELEASE = 4 };
long __real___tsan_atomic64_fetch_sub(volatile long *, long, int);
long __wrap___tsan_atomic64_fetch_sub(volatile long *count, long by, int order) {
    return __real___tsan_atomic64_fetch_sub(count, by, order == RELEASE ? ACQUIRE_RELEASE : order);
}
