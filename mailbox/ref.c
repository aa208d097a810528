#include "mailbox/ref.h"

#include <inttypes.h>
#include <stdio.h>

char *tr_ref_text(tr_ref ref, char *text)
{
    if (tr_ref_is_nobody(ref))
        snprintf(text, TR_REF_TEXT, "<nobody>");
    else
        snprintf(text, TR_REF_TEXT, "<%u.%" PRIu32 ".%" PRIu32 ">", tri_ref_node(ref), tri_ref_slot(ref),
            tri_ref_generation(ref));
    return text;
}
