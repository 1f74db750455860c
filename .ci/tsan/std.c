// What the standard library does without the sanitizer's seeing it, told to the sanitizer.
//
// The library that comes with Rust is compiled without it. The quick path of a lock is compiled into
// whoever uses it, and is seen; the slow one, of which the functions below are, is not. Each is called
// through a `__wrap_` (the linker's `--wrap`), which says afterwards what it ordered. Their names, which
// differ from release to release, come from `run`.
//
// Arguments and results are handed on in registers as C does; so does Rust, for numbers and pointers.
// It is no promise of Rust's: `run` begins with programs that show that all this is right.

typedef unsigned long word;

void __tsan_acquire(void *);
void __tsan_release(void *);

#define PASTE(a, b) a##b
#define REAL(name) PASTE(__real_, name)
#define WRAP(name)                                                                                 \
    word REAL(name)(char *, char *, word, word, word, word);                                       \
    word PASTE(__wrap_, name)(char *self, char *b, word c, word d, word e, word f)
#define CALL(name) REAL(name)(self, b, c, d, e, f)

// The state of a mutex is its only field, that of the other lock the first or the second of 32 bits.
#define LOCK(name, size)                                                                           \
    WRAP(name) {                                                                                   \
        word result = CALL(name);                                                                  \
        for (int at = 0; at < size; at += 4)                                                       \
            __tsan_acquire(self + at);                                                             \
        return result;                                                                             \
    }
LOCK(MUTEX_LOCK, 4)
LOCK(RWLOCK_READ, 8)
LOCK(RWLOCK_WRITE, 8)

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

// What is made once is there when the library says so, between the end of the closure that makes it and
// the end of the call. So the closure is called through another one, which says it before.
struct closure {
    word data;
    word *methods; // what it takes to drop it, its size, its alignment, to call it once, to call it
    char *once;
};
static void make(struct closure *it, word state) {
    ((void (*)(word, word))it->methods[4])(it->data, state);
    __tsan_release(it->once);
}
WRAP(ONCE_CALL) {
    struct closure it = { c, (word *)d, self };
    word methods[] = { 0, sizeof it, sizeof(word), (word)make, (word)make };
    word result = REAL(ONCE_CALL)(self, b, (word)&it, (word)methods, e, f);
    __tsan_acquire(self);
    return result;
}

// `Arc` (and seize) lower a count with `Release`, and who finds that it was the last goes on behind a
// fence, which the sanitizer does not know.
enum { RELEASE = 3 };
long __real___tsan_atomic64_fetch_sub(volatile long *, long, int);
long __wrap___tsan_atomic64_fetch_sub(volatile long *count, long by, int order) {
    long old = __real___tsan_atomic64_fetch_sub(count, by, order);
    if (order == RELEASE && old == by)
        __tsan_acquire((void *)count);
    return old;
}
