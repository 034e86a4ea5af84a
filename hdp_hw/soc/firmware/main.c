#include <stdio.h>

#include "attention.h"
#include "board.h"
#include "model.h"

/* What the co-processor is to run; how much of it failed. */
static unsigned on_coprocessor(void) {
    hdp_device device;
    const hdp_error error = board_open(&device);
    if (error) {
        printf("%s\n", hdp_error_text(&device, error));
        return 1;
    }
    const hdp_params *p = &device.params;
    printf("co-processor of %lu x %lu tiles and %lu lanes\n", (unsigned long)p->tile, (unsigned long)p->tile,
           (unsigned long)p->lanes);
    unsigned failed = attention_check(&device);
    if (model && model->image) failed += !model_on_coprocessor(&device);
    return failed;
}

int main(void) {
    const bool has_image = model && model->image;
    unsigned failed = n_attention_cases || has_image ? on_coprocessor() : 0;
    if (model && !has_image) failed += !model_on_processor();
    printf(failed ? "FAIL\n" : "PASS\n");
    board_end();
}
