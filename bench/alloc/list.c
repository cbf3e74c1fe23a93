/*
 * list - two million nodes of 16 bytes: what a small object costs.
 *
 *     list [nodes=2000001] [wait_s=10]
 *
 * Prints resident bytes per node, nanoseconds of CPU per allocation (page faults included) and per
 * free, and resident MB (2^20) at once and wait_s after the last free.
 */
#include <stdio.h>

#include "bench/alloc/mem.h"

struct node {
    struct node *next;
    uint64_t value;
};

int main(int argc, char **argv)
{
    unsigned nodes = mem_option(argc, argv, "nodes", 2000001);
    unsigned wait_s = mem_option(argc, argv, "wait_s", 10);
    mem_start();
    mem_free(mem_alloc(sizeof(struct node)), sizeof(struct node));
    uint64_t base = mem_resident().bytes;
    struct node *list = NULL;
    double start = mem_thread_cpu_s();
    for (unsigned i = 0; i < nodes; i++) {
        struct node *node = mem_alloc(sizeof(*node));
        node->next = list;
        node->value = i;
        list = node;
    }
    double built = mem_thread_cpu_s();
    double per_node = (double)(mem_resident().bytes - base) / nodes;
    double freeing = mem_thread_cpu_s();
    while (list) {
        struct node *next = list->next;
        mem_free(list, sizeof(*list));
        list = next;
    }
    double freed = mem_thread_cpu_s();
    double at_once = (double)(mem_resident().bytes - base) / (1 << 20);
    mem_sleep_s(wait_s);
    double later = (double)(mem_resident().bytes - base) / (1 << 20);
    printf("list node_bytes %.2f alloc_ns %.1f free_ns %.1f freed_mb %.1f later_mb %.1f\n",
           per_node, (built - start) * 1e9 / nodes, (freed - freeing) * 1e9 / nodes, at_once,
           later);
    return 0;
}
