/* The register map of hdp_top. Generated from hdp_hw/spec/registers.rdl by `hdp-hw registers`; not to be edited.
 *
 * Of each register: HDP_<REGISTER>_OFFSET in bytes; HDP_<REGISTER>_RESET unless hardware drives it. Of each
 * field: HDP_<REGISTER>_<FIELD>_SHIFT and _MASK, without <FIELD> if it is all of its register. */
#ifndef HDP_REGISTERS_H
#define HDP_REGISTERS_H

#include <stdint.h>

/* A field's value in a word, and the bits of a word that give a field a value: HDP_GET(MODE_RULE, word). */
#define HDP_GET(field, word) (((uint32_t)(word) & HDP_##field##_MASK) >> HDP_##field##_SHIFT)
#define HDP_PUT(field, value) (((uint32_t)(value) << HDP_##field##_SHIFT) & HDP_##field##_MASK)

/* -- General -- */

/* Identification. */
#define HDP_ID_OFFSET                      0x000u      /* r */
#define HDP_ID_RESET                       0x48445041u
#define HDP_ID_SHIFT                       0u
#define HDP_ID_MASK                        0xFFFFFFFFu /* "HDPA". */

/* Version of the register map and of what it controls. */
#define HDP_VERSION_OFFSET                 0x004u      /* r */
#define HDP_VERSION_RESET                  0x00000004u
#define HDP_VERSION_MINOR_SHIFT            0u
#define HDP_VERSION_MINOR_MASK             0x0000FFFFu /* Compatible additions. */
#define HDP_VERSION_MAJOR_SHIFT            16u
#define HDP_VERSION_MAJOR_MASK             0xFFFF0000u /* Incompatible changes. */

/* Commands; reads as 0. */
#define HDP_CONTROL_OFFSET                 0x008u      /* w */
#define HDP_CONTROL_RESET                  0x00000000u
#define HDP_CONTROL_START_SHIFT            0u
#define HDP_CONTROL_START_MASK             0x00000001u /* Put the job that the job registers describe into the queue. */
#define HDP_CONTROL_ABORT_SHIFT            1u
#define HDP_CONTROL_ABORT_MASK             0x00000002u /* Stop the running job and empty the queue. */
#define HDP_CONTROL_RESET_SHIFT            2u
#define HDP_CONTROL_RESET_MASK             0x00000004u /* As aresetn, registers included, but for the AXI ports. */
#define HDP_CONTROL_CLEAR_COUNTERS_SHIFT   3u
#define HDP_CONTROL_CLEAR_COUNTERS_MASK    0x00000008u /* Set all counters to 0. */

/* State. */
#define HDP_STATUS_OFFSET                  0x00Cu      /* r */
#define HDP_STATUS_BUSY_SHIFT              0u
#define HDP_STATUS_BUSY_MASK               0x00000001u /* A job runs or waits. */
#define HDP_STATUS_QUEUE_FREE_SHIFT        1u
#define HDP_STATUS_QUEUE_FREE_MASK         0x0000000Eu /* Jobs that the queue can take. */
#define HDP_STATUS_WRITING_SHIFT           4u
#define HDP_STATUS_WRITING_MASK            0x00000010u /* Writes await their acknowledgement: the buffer of a job that was stopped may change. */
#define HDP_STATUS_JOBS_DONE_SHIFT         16u
#define HDP_STATUS_JOBS_DONE_MASK          0xFFFF0000u /* Jobs that ended since reset, modulo 65536. */

/* irq is high while a bit of IRQ_STATUS is 1 whose bit is 1 here. */
#define HDP_IRQ_ENABLE_OFFSET              0x010u      /* rw */
#define HDP_IRQ_ENABLE_RESET               0x00000000u
#define HDP_IRQ_ENABLE_SHIFT               0u
#define HDP_IRQ_ENABLE_MASK                0x000007FFu /* A bit for each of IRQ_STATUS. */

/* What happened; writing 1 clears. What happens in the same clock cycle as it is cleared stays. */
#define HDP_IRQ_STATUS_OFFSET              0x014u      /* rw */
#define HDP_IRQ_STATUS_RESET               0x00000000u
#define HDP_IRQ_STATUS_JOB_DONE_SHIFT      0u
#define HDP_IRQ_STATUS_JOB_DONE_MASK       0x00000001u /* A job ended, well or not; of jobs that CHAIN joins, the last one, or the one that failed. */
#define HDP_IRQ_STATUS_BAD_SETTINGS_SHIFT  1u
#define HDP_IRQ_STATUS_BAD_SETTINGS_MASK   0x00000002u /* A job register, a table entry or a norm's descriptor is out of range; nothing was computed for it. */
#define HDP_IRQ_STATUS_MISALIGNED_SHIFT    2u
#define HDP_IRQ_STATUS_MISALIGNED_MASK     0x00000004u /* An address or a stride, of a norm's descriptor too, is not a multiple of the bus word. */
#define HDP_IRQ_STATUS_READ_ERROR_SHIFT    3u
#define HDP_IRQ_STATUS_READ_ERROR_MASK     0x00000008u /* The memory answered a read with SLVERR or DECERR. */
#define HDP_IRQ_STATUS_WRITE_ERROR_SHIFT   4u
#define HDP_IRQ_STATUS_WRITE_ERROR_MASK    0x00000010u /* The memory answered a write with SLVERR or DECERR. */
#define HDP_IRQ_STATUS_TIMEOUT_SHIFT       5u
#define HDP_IRQ_STATUS_TIMEOUT_MASK        0x00000020u /* A job took longer than TIMEOUT; it was stopped. */
#define HDP_IRQ_STATUS_QUEUE_FULL_SHIFT    6u
#define HDP_IRQ_STATUS_QUEUE_FULL_MASK     0x00000040u /* start while the queue was full: the job was not taken. */
#define HDP_IRQ_STATUS_FALLBACK_SHIFT      7u
#define HDP_IRQ_STATUS_FALLBACK_MASK       0x00000080u /* A head kept less than min_keep and ran dense. Not an error. */
#define HDP_IRQ_STATUS_ABORTED_SHIFT       8u
#define HDP_IRQ_STATUS_ABORTED_MASK        0x00000100u /* abort stopped a job. */
#define HDP_IRQ_STATUS_COUNTER_OVERFLOW_SHIFT 9u
#define HDP_IRQ_STATUS_COUNTER_OVERFLOW_MASK 0x00000200u /* A counter went beyond 64 bits. */
#define HDP_IRQ_STATUS_CORE_ERROR_SHIFT    10u
#define HDP_IRQ_STATUS_CORE_ERROR_MASK     0x00000400u /* A core refused a head, or a plane or an output was malformed: a fault of the hardware. */

/* Of the last job that an error stopped, until another is. */
#define HDP_ERROR_INFO_OFFSET              0x018u      /* r */
#define HDP_ERROR_INFO_JOB_SHIFT           0u
#define HDP_ERROR_INFO_JOB_MASK            0x0000FFFFu /* JOB_ID. */
#define HDP_ERROR_INFO_HEAD_SHIFT          16u
#define HDP_ERROR_INFO_HEAD_MASK           0xFFFF0000u /* The head that was refused, N_HEADS for the norm; if none was, how many had ended. */

/* Of the job that ended last. */
#define HDP_LAST_JOB_OFFSET                0x01Cu      /* r */
#define HDP_LAST_JOB_JOB_SHIFT             0u
#define HDP_LAST_JOB_JOB_MASK              0x0000FFFFu /* JOB_ID. */
#define HDP_LAST_JOB_FAILED_SHIFT          16u
#define HDP_LAST_JOB_FAILED_MASK           0x00010000u /* It ended with an error. */

/* -- Parameters -- */

/* T, the edge of a score block. */
#define HDP_TILE_OFFSET                    0x020u      /* r */
#define HDP_TILE_SHIFT                     0u
#define HDP_TILE_MASK                      0xFFFFFFFFu /* Value. */

/* Digit multipliers of a dot unit. */
#define HDP_LANES_OFFSET                   0x024u      /* r */
#define HDP_LANES_SHIFT                    0u
#define HDP_LANES_MASK                     0xFFFFFFFFu /* Value. */

/* w, bits of a digit; operands have 2w. */
#define HDP_DIGIT_WIDTH_OFFSET             0x028u      /* r */
#define HDP_DIGIT_WIDTH_SHIFT              0u
#define HDP_DIGIT_WIDTH_MASK               0xFFFFFFFFu /* Value. */

/* Largest HEAD_DIM. */
#define HDP_MAX_HEAD_DIM_OFFSET            0x02Cu      /* r */
#define HDP_MAX_HEAD_DIM_SHIFT             0u
#define HDP_MAX_HEAD_DIM_MASK              0xFFFFFFFFu /* Value. */

/* Largest N_Q and N_K. */
#define HDP_MAX_SEQ_LEN_OFFSET             0x030u      /* r */
#define HDP_MAX_SEQ_LEN_SHIFT              0u
#define HDP_MAX_SEQ_LEN_MASK               0xFFFFFFFFu /* Value. */

/* Cores. */
#define HDP_N_CORES_OFFSET                 0x034u      /* r */
#define HDP_N_CORES_SHIFT                  0u
#define HDP_N_CORES_MASK                   0xFFFFFFFFu /* Value. */

/* Bits of a bus word of the memory port. */
#define HDP_BUS_WIDTH_OFFSET               0x038u      /* r */
#define HDP_BUS_WIDTH_SHIFT                0u
#define HDP_BUS_WIDTH_MASK                 0xFFFFFFFFu /* Value. */

/* Bits of an address of the memory port. */
#define HDP_ADDRESS_WIDTH_OFFSET           0x03Cu      /* r */
#define HDP_ADDRESS_WIDTH_SHIFT            0u
#define HDP_ADDRESS_WIDTH_MASK             0xFFFFFFFFu /* Value. */

/* Bits of the array's hardware multipliers; 0: digit multipliers. */
#define HDP_MULTIPLIER_OFFSET              0x040u      /* r */
#define HDP_MULTIPLIER_SHIFT               0u
#define HDP_MULTIPLIER_MASK                0xFFFFFFFFu /* Value. */

/* 1: there is a predictor; 0: heads are dense. */
#define HDP_PRUNING_OFFSET                 0x044u      /* r */
#define HDP_PRUNING_SHIFT                  0u
#define HDP_PRUNING_MASK                   0xFFFFFFFFu /* Value. */

/* 1: a head may be a linear layer; 0: attention alone. */
#define HDP_ENCODER_OFFSET                 0x048u      /* r */
#define HDP_ENCODER_SHIFT                  0u
#define HDP_ENCODER_MASK                   0xFFFFFFFFu /* Value. */

/* -- Job -- */

/* The driver's name for the job. */
#define HDP_JOB_ID_OFFSET                  0x080u      /* rw */
#define HDP_JOB_ID_RESET                   0x00000000u
#define HDP_JOB_ID_SHIFT                   0u
#define HDP_JOB_ID_MASK                    0x0000FFFFu /* Value. */

/* Rule and switches. */
#define HDP_MODE_OFFSET                    0x084u      /* rw */
#define HDP_MODE_RESET                     0x00000003u
#define HDP_MODE_RULE_SHIFT                0u
#define HDP_MODE_RULE_MASK                 0x00000003u /* Which blocks a head keeps. */
#define HDP_MODE_RULE_ROW_THRESHOLD        0u
#define HDP_MODE_RULE_MARGIN               1u
#define HDP_MODE_RULE_MASS                 2u
#define HDP_MODE_RULE_DENSE                3u
#define HDP_MODE_CAUSAL_SHIFT              2u
#define HDP_MODE_CAUSAL_MASK               0x00000004u /* Causal mask. */
#define HDP_MODE_COMPENSATE_SHIFT          3u
#define HDP_MODE_COMPENSATE_MASK           0x00000008u /* A key stands in for the pruned ones. */
#define HDP_MODE_MEAN_OUTPUT_SHIFT         4u
#define HDP_MODE_MEAN_OUTPUT_MASK          0x00000010u /* A pruned head's output is the mean of V. */
#define HDP_MODE_TABLE_ENABLE_SHIFT        5u
#define HDP_MODE_TABLE_ENABLE_MASK         0x00000020u /* Scales and thresholds come from the table at TABLE, a 32-byte entry a head. */
#define HDP_MODE_RECORD_ENABLE_SHIFT       6u
#define HDP_MODE_RECORD_ENABLE_MASK        0x00000040u /* A 32-byte record of each head is written at RECORD. */
#define HDP_MODE_LINEAR_SHIFT              7u
#define HDP_MODE_LINEAR_MASK               0x00000080u /* Heads are blocks of a linear layer's channels, see docs/encoder.md; with rule = dense. */
#define HDP_MODE_WORDS_SHIFT               8u
#define HDP_MODE_WORDS_MASK                0x00000100u /* Of a linear layer: its results are 16-bit words, not 8-bit operands. */
#define HDP_MODE_ACTIVATION_SHIFT          9u
#define HDP_MODE_ACTIVATION_MASK           0x00000600u /* Of a linear layer: what its words go through; the table is at TABLE. */
#define HDP_MODE_ACTIVATION_NONE           0u
#define HDP_MODE_ACTIVATION_RELU           1u
#define HDP_MODE_ACTIVATION_TABLE          2u
#define HDP_MODE_PLANES_SHIFT              11u
#define HDP_MODE_PLANES_MASK               0x00000800u /* The results are digit planes: integer digits at OUTPUT, fraction digits at OUTPUT_FRACTION. */

/* Query heads, at least 1; 0 for a norm alone. */
#define HDP_N_HEADS_OFFSET                 0x088u      /* rw */
#define HDP_N_HEADS_RESET                  0x00000000u
#define HDP_N_HEADS_SHIFT                  0u
#define HDP_N_HEADS_MASK                   0x0000FFFFu /* Value. */

/* Key and value heads: head h has number h * N_KV_HEADS // N_HEADS. */
#define HDP_N_KV_HEADS_OFFSET              0x08Cu      /* rw */
#define HDP_N_KV_HEADS_RESET               0x00000000u
#define HDP_N_KV_HEADS_SHIFT               0u
#define HDP_N_KV_HEADS_MASK                0x0000FFFFu /* Value. */

/* Queries of a head. */
#define HDP_N_Q_OFFSET                     0x090u      /* rw */
#define HDP_N_Q_RESET                      0x00000000u
#define HDP_N_Q_SHIFT                      0u
#define HDP_N_Q_MASK                       0x0000FFFFu /* Value. */

/* Keys of a head. */
#define HDP_N_K_OFFSET                     0x094u      /* rw */
#define HDP_N_K_RESET                      0x00000000u
#define HDP_N_K_SHIFT                      0u
#define HDP_N_K_MASK                       0x0000FFFFu /* Value. */

/* Elements of a row. */
#define HDP_HEAD_DIM_OFFSET                0x098u      /* rw */
#define HDP_HEAD_DIM_RESET                 0x00000000u
#define HDP_HEAD_DIM_SHIFT                 0u
#define HDP_HEAD_DIM_MASK                  0x0000FFFFu /* Value. */

/* Clock cycles after which a job is stopped; 0: never. */
#define HDP_TIMEOUT_OFFSET                 0x09Cu      /* rw */
#define HDP_TIMEOUT_RESET                  0x00000000u
#define HDP_TIMEOUT_SHIFT                  0u
#define HDP_TIMEOUT_MASK                   0xFFFFFFFFu /* Value. */

/* Softmax scale, and the row_threshold rule. */
#define HDP_SCALE_OFFSET                   0x0A0u      /* rw */
#define HDP_SCALE_RESET                    0x00000000u
#define HDP_SCALE_MULT_SHIFT               0u
#define HDP_SCALE_MULT_MASK                0x000000FFu /* Base-2 logits per unit of S are mult >> shift. */
#define HDP_SCALE_SHIFT_SHIFT              8u
#define HDP_SCALE_SHIFT_MASK               0x00003F00u /* See mult. */
#define HDP_SCALE_RHO_SHIFT                16u
#define HDP_SCALE_RHO_MASK                 0x01FF0000u /* s0.8, -255 to 255. */

/* Of the margin rule, in units of A. */
#define HDP_MARGIN_OFFSET                  0x0A4u      /* rw */
#define HDP_MARGIN_RESET                   0x00000000u
#define HDP_MARGIN_SHIFT                   0u
#define HDP_MARGIN_MASK                    0xFFFFFFFFu /* Value. */

/* The mass rule. */
#define HDP_MASS_OFFSET                    0x0A8u      /* rw */
#define HDP_MASS_RESET                     0x00000000u
#define HDP_MASS_KAPPA_SHIFT               0u
#define HDP_MASS_KAPPA_MASK                0x000000FFu /* Base-2 logits per unit of A are kappa >> kappa_shift, in u4.4. */
#define HDP_MASS_KAPPA_SHIFT_SHIFT         8u
#define HDP_MASS_KAPPA_SHIFT_MASK          0x00001F00u /* See kappa. */
#define HDP_MASS_LOG_MASS_SHIFT            16u
#define HDP_MASS_LOG_MASS_MASK             0x01FF0000u /* u5.4: -log2(p). */

/* A head whose mean |A| is below is pruned; 8 fraction bits. */
#define HDP_TAU_HEAD_OFFSET                0x0ACu      /* rw */
#define HDP_TAU_HEAD_RESET                 0x00000000u
#define HDP_TAU_HEAD_SHIFT                 0u
#define HDP_TAU_HEAD_MASK                  0xFFFFFFFFu /* Value. */

/* A head that keeps a smaller share of its blocks runs dense. */
#define HDP_MIN_KEEP_OFFSET                0x0B0u      /* rw */
#define HDP_MIN_KEEP_RESET                 0x00000000u
#define HDP_MIN_KEEP_SHIFT                 0u
#define HDP_MIN_KEEP_MASK                  0x000001FFu /* u1.8, 0 to 256. */

/* Address of Q's integer digits. */
#define HDP_Q_INTEGER_LOW_OFFSET           0x0C0u      /* rw */
#define HDP_Q_INTEGER_LOW_RESET            0x00000000u
#define HDP_Q_INTEGER_LOW_SHIFT            0u
#define HDP_Q_INTEGER_LOW_MASK             0xFFFFFFFFu /* Bits 31 to 0. */

/* Address of Q's integer digits. */
#define HDP_Q_INTEGER_HIGH_OFFSET          0x0C4u      /* rw */
#define HDP_Q_INTEGER_HIGH_RESET           0x00000000u
#define HDP_Q_INTEGER_HIGH_SHIFT           0u
#define HDP_Q_INTEGER_HIGH_MASK            0xFFFFFFFFu /* Bits 63 to 32. */

/* Address of Q's fraction digits. */
#define HDP_Q_FRACTION_LOW_OFFSET          0x0C8u      /* rw */
#define HDP_Q_FRACTION_LOW_RESET           0x00000000u
#define HDP_Q_FRACTION_LOW_SHIFT           0u
#define HDP_Q_FRACTION_LOW_MASK            0xFFFFFFFFu /* Bits 31 to 0. */

/* Address of Q's fraction digits. */
#define HDP_Q_FRACTION_HIGH_OFFSET         0x0CCu      /* rw */
#define HDP_Q_FRACTION_HIGH_RESET          0x00000000u
#define HDP_Q_FRACTION_HIGH_SHIFT          0u
#define HDP_Q_FRACTION_HIGH_MASK           0xFFFFFFFFu /* Bits 63 to 32. */

/* Address of K's integer digits. */
#define HDP_K_INTEGER_LOW_OFFSET           0x0D0u      /* rw */
#define HDP_K_INTEGER_LOW_RESET            0x00000000u
#define HDP_K_INTEGER_LOW_SHIFT            0u
#define HDP_K_INTEGER_LOW_MASK             0xFFFFFFFFu /* Bits 31 to 0. */

/* Address of K's integer digits. */
#define HDP_K_INTEGER_HIGH_OFFSET          0x0D4u      /* rw */
#define HDP_K_INTEGER_HIGH_RESET           0x00000000u
#define HDP_K_INTEGER_HIGH_SHIFT           0u
#define HDP_K_INTEGER_HIGH_MASK            0xFFFFFFFFu /* Bits 63 to 32. */

/* Address of K's fraction digits. */
#define HDP_K_FRACTION_LOW_OFFSET          0x0D8u      /* rw */
#define HDP_K_FRACTION_LOW_RESET           0x00000000u
#define HDP_K_FRACTION_LOW_SHIFT           0u
#define HDP_K_FRACTION_LOW_MASK            0xFFFFFFFFu /* Bits 31 to 0. */

/* Address of K's fraction digits. */
#define HDP_K_FRACTION_HIGH_OFFSET         0x0DCu      /* rw */
#define HDP_K_FRACTION_HIGH_RESET          0x00000000u
#define HDP_K_FRACTION_HIGH_SHIFT          0u
#define HDP_K_FRACTION_HIGH_MASK           0xFFFFFFFFu /* Bits 63 to 32. */

/* Address of V. */
#define HDP_VALUE_LOW_OFFSET               0x0E0u      /* rw */
#define HDP_VALUE_LOW_RESET                0x00000000u
#define HDP_VALUE_LOW_SHIFT                0u
#define HDP_VALUE_LOW_MASK                 0xFFFFFFFFu /* Bits 31 to 0. */

/* Address of V. */
#define HDP_VALUE_HIGH_OFFSET              0x0E4u      /* rw */
#define HDP_VALUE_HIGH_RESET               0x00000000u
#define HDP_VALUE_HIGH_SHIFT               0u
#define HDP_VALUE_HIGH_MASK                0xFFFFFFFFu /* Bits 63 to 32. */

/* Address of O. */
#define HDP_OUTPUT_LOW_OFFSET              0x0E8u      /* rw */
#define HDP_OUTPUT_LOW_RESET               0x00000000u
#define HDP_OUTPUT_LOW_SHIFT               0u
#define HDP_OUTPUT_LOW_MASK                0xFFFFFFFFu /* Bits 31 to 0. */

/* Address of O. */
#define HDP_OUTPUT_HIGH_OFFSET             0x0ECu      /* rw */
#define HDP_OUTPUT_HIGH_RESET              0x00000000u
#define HDP_OUTPUT_HIGH_SHIFT              0u
#define HDP_OUTPUT_HIGH_MASK               0xFFFFFFFFu /* Bits 63 to 32. */

/* Address of the table of per-head scales and thresholds, or of an activation. */
#define HDP_TABLE_LOW_OFFSET               0x0F0u      /* rw */
#define HDP_TABLE_LOW_RESET                0x00000000u
#define HDP_TABLE_LOW_SHIFT                0u
#define HDP_TABLE_LOW_MASK                 0xFFFFFFFFu /* Bits 31 to 0. */

/* Address of the table of per-head scales and thresholds, or of an activation. */
#define HDP_TABLE_HIGH_OFFSET              0x0F4u      /* rw */
#define HDP_TABLE_HIGH_RESET               0x00000000u
#define HDP_TABLE_HIGH_SHIFT               0u
#define HDP_TABLE_HIGH_MASK                0xFFFFFFFFu /* Bits 63 to 32. */

/* Address of the heads' records. */
#define HDP_RECORD_LOW_OFFSET              0x0F8u      /* rw */
#define HDP_RECORD_LOW_RESET               0x00000000u
#define HDP_RECORD_LOW_SHIFT               0u
#define HDP_RECORD_LOW_MASK                0xFFFFFFFFu /* Bits 31 to 0. */

/* Address of the heads' records. */
#define HDP_RECORD_HIGH_OFFSET             0x0FCu      /* rw */
#define HDP_RECORD_HIGH_RESET              0x00000000u
#define HDP_RECORD_HIGH_SHIFT              0u
#define HDP_RECORD_HIGH_MASK               0xFFFFFFFFu /* Bits 63 to 32. */

/* Bytes from a row of a Q plane to the next. */
#define HDP_Q_ROW_STRIDE_OFFSET            0x100u      /* rw */
#define HDP_Q_ROW_STRIDE_RESET             0x00000000u
#define HDP_Q_ROW_STRIDE_SHIFT             0u
#define HDP_Q_ROW_STRIDE_MASK              0xFFFFFFFFu /* Value. */

/* Bytes from a head of a Q plane to the next. */
#define HDP_Q_HEAD_STRIDE_OFFSET           0x104u      /* rw */
#define HDP_Q_HEAD_STRIDE_RESET            0x00000000u
#define HDP_Q_HEAD_STRIDE_SHIFT            0u
#define HDP_Q_HEAD_STRIDE_MASK             0xFFFFFFFFu /* Value. */

/* Bytes from a row of a K plane to the next. */
#define HDP_K_ROW_STRIDE_OFFSET            0x108u      /* rw */
#define HDP_K_ROW_STRIDE_RESET             0x00000000u
#define HDP_K_ROW_STRIDE_SHIFT             0u
#define HDP_K_ROW_STRIDE_MASK              0xFFFFFFFFu /* Value. */

/* Bytes from a head of a K plane to the next. */
#define HDP_K_HEAD_STRIDE_OFFSET           0x10Cu      /* rw */
#define HDP_K_HEAD_STRIDE_RESET            0x00000000u
#define HDP_K_HEAD_STRIDE_SHIFT            0u
#define HDP_K_HEAD_STRIDE_MASK             0xFFFFFFFFu /* Value. */

/* Bytes from a row of V to the next. */
#define HDP_VALUE_ROW_STRIDE_OFFSET        0x110u      /* rw */
#define HDP_VALUE_ROW_STRIDE_RESET         0x00000000u
#define HDP_VALUE_ROW_STRIDE_SHIFT         0u
#define HDP_VALUE_ROW_STRIDE_MASK          0xFFFFFFFFu /* Value. */

/* Bytes from a head of V to the next. */
#define HDP_VALUE_HEAD_STRIDE_OFFSET       0x114u      /* rw */
#define HDP_VALUE_HEAD_STRIDE_RESET        0x00000000u
#define HDP_VALUE_HEAD_STRIDE_SHIFT        0u
#define HDP_VALUE_HEAD_STRIDE_MASK         0xFFFFFFFFu /* Value. */

/* Bytes from a row of O to the next. */
#define HDP_OUTPUT_ROW_STRIDE_OFFSET       0x118u      /* rw */
#define HDP_OUTPUT_ROW_STRIDE_RESET        0x00000000u
#define HDP_OUTPUT_ROW_STRIDE_SHIFT        0u
#define HDP_OUTPUT_ROW_STRIDE_MASK         0xFFFFFFFFu /* Value. */

/* Bytes from a head of O to the next. */
#define HDP_OUTPUT_HEAD_STRIDE_OFFSET      0x11Cu      /* rw */
#define HDP_OUTPUT_HEAD_STRIDE_RESET       0x00000000u
#define HDP_OUTPUT_HEAD_STRIDE_SHIFT       0u
#define HDP_OUTPUT_HEAD_STRIDE_MASK        0xFFFFFFFFu /* Value. */

/* -- Job with encoder -- */

/* With MODE.planes: address of O's fraction digits, whose strides are those of O. */
#define HDP_OUTPUT_FRACTION_LOW_OFFSET     0x120u      /* rw */
#define HDP_OUTPUT_FRACTION_LOW_RESET      0x00000000u
#define HDP_OUTPUT_FRACTION_LOW_SHIFT      0u
#define HDP_OUTPUT_FRACTION_LOW_MASK       0xFFFFFFFFu /* Bits 31 to 0. */

/* With MODE.planes: address of O's fraction digits, whose strides are those of O. */
#define HDP_OUTPUT_FRACTION_HIGH_OFFSET    0x124u      /* rw */
#define HDP_OUTPUT_FRACTION_HIGH_RESET     0x00000000u
#define HDP_OUTPUT_FRACTION_HIGH_SHIFT     0u
#define HDP_OUTPUT_FRACTION_HIGH_MASK      0xFFFFFFFFu /* Bits 63 to 32. */

/* Address of the descriptor of a norm that runs beside the heads; 0: none. */
#define HDP_NORM_LOW_OFFSET                0x128u      /* rw */
#define HDP_NORM_LOW_RESET                 0x00000000u
#define HDP_NORM_LOW_SHIFT                 0u
#define HDP_NORM_LOW_MASK                  0xFFFFFFFFu /* Bits 31 to 0. */

/* Address of the descriptor of a norm that runs beside the heads; 0: none. */
#define HDP_NORM_HIGH_OFFSET               0x12Cu      /* rw */
#define HDP_NORM_HIGH_RESET                0x00000000u
#define HDP_NORM_HIGH_SHIFT                0u
#define HDP_NORM_HIGH_MASK                 0xFFFFFFFFu /* Bits 63 to 32. */

/* Address of the descriptor of the job that follows: the words from JOB_ID to here; 0: none. */
#define HDP_CHAIN_LOW_OFFSET               0x130u      /* rw */
#define HDP_CHAIN_LOW_RESET                0x00000000u
#define HDP_CHAIN_LOW_SHIFT                0u
#define HDP_CHAIN_LOW_MASK                 0xFFFFFFFFu /* Bits 31 to 0. */

/* Address of the descriptor of the job that follows: the words from JOB_ID to here; 0: none. */
#define HDP_CHAIN_HIGH_OFFSET              0x134u      /* rw */
#define HDP_CHAIN_HIGH_RESET               0x00000000u
#define HDP_CHAIN_HIGH_SHIFT               0u
#define HDP_CHAIN_HIGH_MASK                0xFFFFFFFFu /* Bits 63 to 32. */

/* -- Counters -- */

/* Clock cycles with a job. */
#define HDP_CYCLES_LOW_OFFSET              0x180u      /* r */
#define HDP_CYCLES_LOW_SHIFT               0u
#define HDP_CYCLES_LOW_MASK                0xFFFFFFFFu /* Bits 31 to 0. */

/* Clock cycles with a job. */
#define HDP_CYCLES_HIGH_OFFSET             0x184u      /* r */
#define HDP_CYCLES_HIGH_SHIFT              0u
#define HDP_CYCLES_HIGH_MASK               0xFFFFFFFFu /* Bits 63 to 32. */

/* Clock cycles of the arrays in mode INTEGER. */
#define HDP_BUSY_INTEGER_LOW_OFFSET        0x188u      /* r */
#define HDP_BUSY_INTEGER_LOW_SHIFT         0u
#define HDP_BUSY_INTEGER_LOW_MASK          0xFFFFFFFFu /* Bits 31 to 0. */

/* Clock cycles of the arrays in mode INTEGER. */
#define HDP_BUSY_INTEGER_HIGH_OFFSET       0x18Cu      /* r */
#define HDP_BUSY_INTEGER_HIGH_SHIFT        0u
#define HDP_BUSY_INTEGER_HIGH_MASK         0xFFFFFFFFu /* Bits 63 to 32. */

/* Clock cycles of the arrays in mode CROSS. */
#define HDP_BUSY_CROSS_LOW_OFFSET          0x190u      /* r */
#define HDP_BUSY_CROSS_LOW_SHIFT           0u
#define HDP_BUSY_CROSS_LOW_MASK            0xFFFFFFFFu /* Bits 31 to 0. */

/* Clock cycles of the arrays in mode CROSS. */
#define HDP_BUSY_CROSS_HIGH_OFFSET         0x194u      /* r */
#define HDP_BUSY_CROSS_HIGH_SHIFT          0u
#define HDP_BUSY_CROSS_HIGH_MASK           0xFFFFFFFFu /* Bits 63 to 32. */

/* Clock cycles of the arrays in mode FULL. */
#define HDP_BUSY_FULL_LOW_OFFSET           0x198u      /* r */
#define HDP_BUSY_FULL_LOW_SHIFT            0u
#define HDP_BUSY_FULL_LOW_MASK             0xFFFFFFFFu /* Bits 31 to 0. */

/* Clock cycles of the arrays in mode FULL. */
#define HDP_BUSY_FULL_HIGH_OFFSET          0x19Cu      /* r */
#define HDP_BUSY_FULL_HIGH_SHIFT           0u
#define HDP_BUSY_FULL_HIGH_MASK            0xFFFFFFFFu /* Bits 63 to 32. */

/* Clock cycles of the arrays in mode CONTEXT. */
#define HDP_BUSY_CONTEXT_LOW_OFFSET        0x1A0u      /* r */
#define HDP_BUSY_CONTEXT_LOW_SHIFT         0u
#define HDP_BUSY_CONTEXT_LOW_MASK          0xFFFFFFFFu /* Bits 31 to 0. */

/* Clock cycles of the arrays in mode CONTEXT. */
#define HDP_BUSY_CONTEXT_HIGH_OFFSET       0x1A4u      /* r */
#define HDP_BUSY_CONTEXT_HIGH_SHIFT        0u
#define HDP_BUSY_CONTEXT_HIGH_MASK         0xFFFFFFFFu /* Bits 63 to 32. */

/* Clock cycles in which an idle array waits for operands. */
#define HDP_STALL_LOAD_LOW_OFFSET          0x1A8u      /* r */
#define HDP_STALL_LOAD_LOW_SHIFT           0u
#define HDP_STALL_LOAD_LOW_MASK            0xFFFFFFFFu /* Bits 31 to 0. */

/* Clock cycles in which an idle array waits for operands. */
#define HDP_STALL_LOAD_HIGH_OFFSET         0x1ACu      /* r */
#define HDP_STALL_LOAD_HIGH_SHIFT          0u
#define HDP_STALL_LOAD_HIGH_MASK           0xFFFFFFFFu /* Bits 63 to 32. */

/* Clock cycles in which an idle array waits for its output. */
#define HDP_STALL_WRITE_LOW_OFFSET         0x1B0u      /* r */
#define HDP_STALL_WRITE_LOW_SHIFT          0u
#define HDP_STALL_WRITE_LOW_MASK           0xFFFFFFFFu /* Bits 31 to 0. */

/* Clock cycles in which an idle array waits for its output. */
#define HDP_STALL_WRITE_HIGH_OFFSET        0x1B4u      /* r */
#define HDP_STALL_WRITE_HIGH_SHIFT         0u
#define HDP_STALL_WRITE_HIGH_MASK          0xFFFFFFFFu /* Bits 63 to 32. */

/* Other clock cycles in which an array with a head is idle. */
#define HDP_STALL_OTHER_LOW_OFFSET         0x1B8u      /* r */
#define HDP_STALL_OTHER_LOW_SHIFT          0u
#define HDP_STALL_OTHER_LOW_MASK           0xFFFFFFFFu /* Bits 31 to 0. */

/* Other clock cycles in which an array with a head is idle. */
#define HDP_STALL_OTHER_HIGH_OFFSET        0x1BCu      /* r */
#define HDP_STALL_OTHER_HIGH_SHIFT         0u
#define HDP_STALL_OTHER_HIGH_MASK          0xFFFFFFFFu /* Bits 63 to 32. */

/* Blocks with a valid element. */
#define HDP_TILES_VISITED_LOW_OFFSET       0x1C0u      /* r */
#define HDP_TILES_VISITED_LOW_SHIFT        0u
#define HDP_TILES_VISITED_LOW_MASK         0xFFFFFFFFu /* Bits 31 to 0. */

/* Blocks with a valid element. */
#define HDP_TILES_VISITED_HIGH_OFFSET      0x1C4u      /* r */
#define HDP_TILES_VISITED_HIGH_SHIFT       0u
#define HDP_TILES_VISITED_HIGH_MASK        0xFFFFFFFFu /* Bits 63 to 32. */

/* Blocks computed. */
#define HDP_TILES_KEPT_LOW_OFFSET          0x1C8u      /* r */
#define HDP_TILES_KEPT_LOW_SHIFT           0u
#define HDP_TILES_KEPT_LOW_MASK            0xFFFFFFFFu /* Bits 31 to 0. */

/* Blocks computed. */
#define HDP_TILES_KEPT_HIGH_OFFSET         0x1CCu      /* r */
#define HDP_TILES_KEPT_HIGH_SHIFT          0u
#define HDP_TILES_KEPT_HIGH_MASK           0xFFFFFFFFu /* Bits 63 to 32. */

/* Heads that ended. */
#define HDP_HEADS_LOW_OFFSET               0x1D0u      /* r */
#define HDP_HEADS_LOW_SHIFT                0u
#define HDP_HEADS_LOW_MASK                 0xFFFFFFFFu /* Bits 31 to 0. */

/* Heads that ended. */
#define HDP_HEADS_HIGH_OFFSET              0x1D4u      /* r */
#define HDP_HEADS_HIGH_SHIFT               0u
#define HDP_HEADS_HIGH_MASK                0xFFFFFFFFu /* Bits 63 to 32. */

/* Heads that were pruned. */
#define HDP_HEADS_PRUNED_LOW_OFFSET        0x1D8u      /* r */
#define HDP_HEADS_PRUNED_LOW_SHIFT         0u
#define HDP_HEADS_PRUNED_LOW_MASK          0xFFFFFFFFu /* Bits 31 to 0. */

/* Heads that were pruned. */
#define HDP_HEADS_PRUNED_HIGH_OFFSET       0x1DCu      /* r */
#define HDP_HEADS_PRUNED_HIGH_SHIFT        0u
#define HDP_HEADS_PRUNED_HIGH_MASK         0xFFFFFFFFu /* Bits 63 to 32. */

/* Heads that kept less than MIN_KEEP and ran dense. */
#define HDP_HEADS_FALLBACK_LOW_OFFSET      0x1E0u      /* r */
#define HDP_HEADS_FALLBACK_LOW_SHIFT       0u
#define HDP_HEADS_FALLBACK_LOW_MASK        0xFFFFFFFFu /* Bits 31 to 0. */

/* Heads that kept less than MIN_KEEP and ran dense. */
#define HDP_HEADS_FALLBACK_HIGH_OFFSET     0x1E4u      /* r */
#define HDP_HEADS_FALLBACK_HIGH_SHIFT      0u
#define HDP_HEADS_FALLBACK_HIGH_MASK       0xFFFFFFFFu /* Bits 63 to 32. */

/* Bytes read from memory. */
#define HDP_BYTES_READ_LOW_OFFSET          0x1E8u      /* r */
#define HDP_BYTES_READ_LOW_SHIFT           0u
#define HDP_BYTES_READ_LOW_MASK            0xFFFFFFFFu /* Bits 31 to 0. */

/* Bytes read from memory. */
#define HDP_BYTES_READ_HIGH_OFFSET         0x1ECu      /* r */
#define HDP_BYTES_READ_HIGH_SHIFT          0u
#define HDP_BYTES_READ_HIGH_MASK           0xFFFFFFFFu /* Bits 63 to 32. */

/* Bytes that would have been read without a mask. */
#define HDP_BYTES_UNMASKED_LOW_OFFSET      0x1F0u      /* r */
#define HDP_BYTES_UNMASKED_LOW_SHIFT       0u
#define HDP_BYTES_UNMASKED_LOW_MASK        0xFFFFFFFFu /* Bits 31 to 0. */

/* Bytes that would have been read without a mask. */
#define HDP_BYTES_UNMASKED_HIGH_OFFSET     0x1F4u      /* r */
#define HDP_BYTES_UNMASKED_HIGH_SHIFT      0u
#define HDP_BYTES_UNMASKED_HIGH_MASK       0xFFFFFFFFu /* Bits 63 to 32. */

/* Bytes written to memory. */
#define HDP_BYTES_WRITTEN_LOW_OFFSET       0x1F8u      /* r */
#define HDP_BYTES_WRITTEN_LOW_SHIFT        0u
#define HDP_BYTES_WRITTEN_LOW_MASK         0xFFFFFFFFu /* Bits 31 to 0. */

/* Bytes written to memory. */
#define HDP_BYTES_WRITTEN_HIGH_OFFSET      0x1FCu      /* r */
#define HDP_BYTES_WRITTEN_HIGH_SHIFT       0u
#define HDP_BYTES_WRITTEN_HIGH_MASK        0xFFFFFFFFu /* Bits 63 to 32. */

/* -- Formats in memory, of hdp_hw/spec/formats.py: all of it is little-endian -- */

/* What a job names by address, in the order of the address registers, which are 8 bytes apart. */
enum { HDP_Q_INTEGER, HDP_Q_FRACTION, HDP_K_INTEGER, HDP_K_FRACTION,
       HDP_VALUE, HDP_OUTPUT, HDP_TABLE, HDP_RECORD, HDP_REGIONS };

#define HDP_ENTRY_BYTES                    32u         /* Of a head's table entry. */
#define HDP_ENTRY_REGISTERS                5u          /* Registers from SCALE on that are its first words. */
#define HDP_RECORD_BYTES                   32u         /* Of a head's record; where its fields begin, and their bytes: */
#define HDP_RECORD_HEAD_AT                 0u
#define HDP_RECORD_HEAD_BYTES              2u
#define HDP_RECORD_VERDICT_AT              2u
#define HDP_RECORD_VERDICT_BYTES           1u
#define HDP_RECORD_ERROR_AT                3u
#define HDP_RECORD_ERROR_BYTES             1u
#define HDP_RECORD_N_VISITED_AT            4u
#define HDP_RECORD_N_VISITED_BYTES         4u
#define HDP_RECORD_N_KEPT_AT               8u
#define HDP_RECORD_N_KEPT_BYTES            4u
#define HDP_RECORD_THETA_HEAD_AT           12u
#define HDP_RECORD_THETA_HEAD_BYTES        8u
#define HDP_RECORD_RESERVED_AT             20u
#define HDP_RECORD_RESERVED_BYTES          12u
#define HDP_UNWRITTEN                      255u        /* Bytes of a record before the co-processor writes it. */
#define HDP_REGION_ALIGNMENT               256u        /* Bytes: the longest burst on the widest bus. */
#define HDP_IMAGE_MAGIC                    0x4C45444F4D504448u /* Of a compiled model, see hdp_hw/spec/image.py: */
#define HDP_IMAGE_FORMAT                   2u
#define HDP_HEADER_BYTES                   120u
#define HDP_HEADER_MAGIC_AT                0u
#define HDP_HEADER_FORMAT_AT               8u
#define HDP_HEADER_CRC32_AT                12u
#define HDP_HEADER_IMAGE_BYTES_AT          16u
#define HDP_HEADER_MEMORY_BYTES_AT         20u
#define HDP_HEADER_TILE_AT                 24u
#define HDP_HEADER_LANES_AT                28u
#define HDP_HEADER_DIGIT_WIDTH_AT          32u
#define HDP_HEADER_MAX_HEAD_DIM_AT         36u
#define HDP_HEADER_MAX_SEQ_LEN_AT          40u
#define HDP_HEADER_MULTIPLIER_AT           44u
#define HDP_HEADER_PRUNING_AT              48u
#define HDP_HEADER_ENCODER_AT              52u
#define HDP_HEADER_N_CORES_AT              56u
#define HDP_HEADER_BUS_WIDTH_AT            60u
#define HDP_HEADER_ADDRESS_WIDTH_AT        64u
#define HDP_HEADER_FEATURES_AT             68u
#define HDP_HEADER_RESULTS_AT              72u
#define HDP_HEADER_MAX_TOKENS_AT           76u
#define HDP_HEADER_ROWS_AT                 80u
#define HDP_HEADER_ROWS_STRIDE_AT          84u
#define HDP_HEADER_CONTEXT_INTEGER_AT      88u
#define HDP_HEADER_CONTEXT_FRACTION_AT     92u
#define HDP_HEADER_CONTEXT_STRIDE_AT       96u
#define HDP_HEADER_N_LAYERS_AT             100u
#define HDP_HEADER_N_CHAINS_AT             104u
#define HDP_HEADER_CHAINS_AT               108u
#define HDP_HEADER_N_RELOCATIONS_AT        112u
#define HDP_HEADER_RELOCATIONS_AT          116u
#define HDP_CHAIN_BYTES                    16u
#define HDP_CHAIN_TOKENS_AT                0u
#define HDP_CHAIN_FIRST_AT                 4u
#define HDP_CHAIN_JOBS_AT                  8u
#define HDP_CHAIN_ATTENTION_AT             12u
#define HDP_ATTENTION_BYTES                16u
#define HDP_ATTENTION_DESCRIPTOR_AT        0u
#define HDP_ATTENTION_QUERIES_AT           4u
#define HDP_ATTENTION_TABLE_AT             8u
#define HDP_ATTENTION_TABLE_STRIDE_AT      12u

#endif
