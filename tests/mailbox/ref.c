/* References: their parts, and their text. */
#include "mailbox/ref.h"

#include <criterion/criterion.h>

static const struct {
    uint64_t bits;
    const char *text;
} texts[] = {
    { 0, "<nobody>" },
    { (uint64_t)3 << 24 | 17, "<0.17.3>" },
    { (uint64_t)1 << 24, "<0.0.1>" },
    { (uint64_t)7 << 56 | (uint64_t)4294967295 << 24 | 16777215, "<7.16777215.4294967295>" },
    { UINT64_MAX, "<255.16777215.4294967295>" },
};

Test(ref, has_a_text)
{
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char text[TR_REF_TEXT];
        memset(text, 'x', sizeof text);
        cr_assert_eq(tr_ref_text((tr_ref){ texts[i].bits }, text), text);
        cr_assert_str_eq(text, texts[i].text);
    }
}

Test(ref, keeps_slot_and_generation_apart)
{
    static const uint32_t generations[] = { 1, 2, 255, 65536, UINT32_MAX };
    static const uint32_t slots[] = { 0, 1, 17, TRI_SLOTS_MAX - 1 };
    for (size_t g = 0; g < sizeof generations / sizeof generations[0]; g++)
        for (size_t s = 0; s < sizeof slots / sizeof slots[0]; s++) {
            tr_ref ref = tri_ref_make(generations[g], slots[s]);
            cr_assert_eq(tri_ref_generation(ref), generations[g]);
            cr_assert_eq(tri_ref_slot(ref), slots[s]);
            cr_assert_eq(tri_ref_node(ref), 0);
            cr_assert_not(tr_ref_is_nobody(ref));
        }
}

Test(ref, is_equal_to_itself_only)
{
    tr_ref ref = tri_ref_make(3, 17);
    cr_assert(tr_ref_eq(ref, tri_ref_make(3, 17)));
    cr_assert_not(tr_ref_eq(ref, tri_ref_make(4, 17)));
    cr_assert_not(tr_ref_eq(ref, tri_ref_make(3, 18)));
    cr_assert_not(tr_ref_eq(ref, TR_NOBODY));
    cr_assert(tr_ref_is_nobody(TR_NOBODY));
}
