/* Every name of malloc(3), as its manual says; run on libc's heap and on ours by programs.py, which
 * compares what it prints. Aborts where one of the two is wrong. */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MUST(condition) ((condition) ? (void)0 : fail(__LINE__))

enum { THREADS = 3, FORKS = 20, SIZES_MAX = 300000 };

static void fail(int line)
{
    fprintf(stderr, "names.c:%d\n", line);
    abort();
}

/* All there is may be used. */
static void fill(void *p, size_t size)
{
    MUST(p && malloc_usable_size(p) >= size);
    memset(p, 0xa5, malloc_usable_size(p));
}

static void sizes(void)
{
    for (size_t size = 0; size < SIZES_MAX; size = size * 9 / 8 + 1) {
        unsigned char *p = malloc(size);
        fill(p, size);
        free(p);
        p = calloc(size, 1);
        for (size_t i = 0; i < size; i++)
            MUST(p[i] == 0);
        p = realloc(p, size + 1);
        p[size] = 7;
        p = reallocarray(p, size + 1, 2);
        MUST(p[size] == 7);
        fill(p, 2 * (size + 1));
        free(p);
    }
    puts("sizes");
}

static void alignments(void)
{
    for (size_t alignment = sizeof(void *); alignment <= 8192; alignment *= 2)
        for (size_t size = 1; size < SIZES_MAX; size = size * 3 / 2 + 1) {
            void *p[] = {NULL, memalign(alignment, size),
                         aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment)};
            MUST(posix_memalign(&p[0], alignment, size) == 0);
            for (int i = 0; i < 3; i++) {
                MUST((uintptr_t)p[i] % alignment == 0);
                fill(p[i], size);
                free(p[i]);
            }
        }
    void *page = valloc(100);
    void *pages = pvalloc(5000);
    MUST((uintptr_t)page % 4096 == 0 && (uintptr_t)pages % 4096 == 0);
    fill(pages, 8192);
    free(page);
    free(pages);
    puts("alignments");
}

static void refusals(void)
{
    void *p = NULL;
    volatile size_t much = SIZE_MAX / 2;
    errno = 0;
    MUST(!malloc(much) && errno == ENOMEM);
    errno = 0;
    MUST(!calloc(much, 3) && errno == ENOMEM);
    char *kept = strdup("kept");
    errno = 0;
    MUST(!realloc(kept, much) && errno == ENOMEM && strcmp(kept, "kept") == 0);
    errno = 0;
    MUST(!reallocarray(kept, much, 3) && errno == ENOMEM && strcmp(kept, "kept") == 0);
    MUST(posix_memalign(&p, 24, 100) == EINVAL && posix_memalign(&p, 2, 100) == EINVAL && !p);
    MUST(posix_memalign(&p, 64, much) == ENOMEM && !p);
    MUST(malloc_usable_size(NULL) == 0);
    errno = 4711;
    free(kept);
    free(NULL);
    MUST(errno == 4711);
    MUST(!realloc(malloc(10), 0));
    puts("refusals");
}

static void *churn(void *stop)
{
    void *kept[100] = {NULL};
    for (size_t i = 0; !__atomic_load_n((int *)stop, __ATOMIC_RELAXED); i++) {
        free(kept[i % 100]);
        kept[i % 100] = malloc(i * 37 % 70000);
    }
    for (int i = 0; i < 100; i++)
        free(kept[i]);
    return NULL;
}

/* The child has the heap whole, whatever other threads were doing with it. */
static void forks(void)
{
    int stop = 0;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        MUST(pthread_create(&threads[i], NULL, churn, &stop) == 0);
    for (int i = 0; i < FORKS; i++) {
        void *given = malloc(1000);
        pid_t child = fork();
        if (child == 0) {
            int ended = 1;
            free(given);
            churn(&ended);
            sizes();
            exit(0);
        }
        int status;
        MUST(waitpid(child, &status, 0) == child && status == 0);
        free(given);
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    puts("forks");
}

int main(void)
{
    setvbuf(stdout, NULL, _IONBF, 0);
    sizes();
    alignments();
    refusals();
    forks();
    return 0;
}
