import { fileURLToPath } from 'node:url';
import { createStylistRecipe } from '../../src/recipes/stylist/recipe.js';

export const stylistDirectory = fileURLToPath(new URL('../../recipes/stylist', import.meta.url));

export const stylist = createStylistRecipe(stylistDirectory);
