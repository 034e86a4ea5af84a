#include <stdio.h>

#include "attention.h"
#include "board.h"
#include "model.h"

static unsigned attention_jobs(void) {
    hdp_device device;
    const hdp_error error = board_open(&device);
    if (error) {
        printf("%s\n", hdp_error_text(&device, error));
        return 1;
    }
    const hdp_params *p = &device.params;
    printf("co-processor of %lu x %lu tiles and %lu lanes\n", (unsigned long)p->tile, (unsigned long)p->tile,
           (unsigned long)p->lanes);
    return attention_check(&device);
}

int main(void) {
    unsigned failed = n_attention_cases ? attention_jobs() : 0;
    if (model) failed += !model_check();
    printf(failed ? "FAIL\n" : "PASS\n");
    board_end();
}
